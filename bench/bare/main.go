// Command bare is the counterpart of wxgate in benchmarks: net/http and gRPC, and none of wxgate's code. With --reply alone
// it is a handler that reads the body and writes as many bytes; with --call the handler first calls a gRPC server, which is
// another process with --serve. Neither reads the content that it gets.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// method is the one of the gRPC server.
const method = "/bare.Bare/Call"

func main() {
	reply := flag.Int("reply", 0, "bytes of an HTTP reply")
	call := flag.String("call", "", "gRPC target that the handler asks; empty: it asks nobody")
	request := flag.Int("request", 0, "bytes of the message that it asks with")
	serve := flag.Int("serve", 0, "bytes of the message that a gRPC server answers with; 0: an HTTP server")
	flag.Parse()
	if err := serveHTTP(*reply, *call, *request, *serve); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func serveHTTP(reply int, call string, request, serve int) error {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info("listening", "flag", "listen", "addr", lis.Addr().String())
	if serve > 0 {
		return serveGRPC(lis, newMessage(serve))
	}
	ask := func(context.Context) error { return nil }
	if call != "" {
		conn, err := grpc.NewClient(call, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer conn.Close()
		sent := newMessage(request)
		ask = func(ctx context.Context) error { return conn.Invoke(ctx, method, sent, new(wrapperspb.BytesValue)) }
	}
	return http.Serve(lis, newHandler(reply, ask))
}

// newHandler returns a handler that reads the body, calls ask, and writes an answer of reply bytes.
func newHandler(reply int, ask func(context.Context) error) http.Handler {
	body := bytes.Repeat([]byte{'x'}, reply)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := ask(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write(body)
	})
}

// newMessage returns a message of size bytes on the wire, tag and length included.
func newMessage(size int) *wrapperspb.BytesValue {
	head := 2
	if size > 129 {
		head = 3
	}
	return wrapperspb.Bytes(bytes.Repeat([]byte{'x'}, max(size-head, 0)))
}

// serveGRPC answers every call with the same message.
func serveGRPC(lis net.Listener, answer *wrapperspb.BytesValue) error {
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "bare.Bare", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return answer, decode(new(wrapperspb.BytesValue))
		},
	}}}, struct{}{})
	return s.Serve(lis)
}
