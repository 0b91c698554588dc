package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHandler(t *testing.T) {
	for name, tt := range map[string]struct {
		body        io.Reader
		err         error // of the call
		status      int
		asked, size int
	}{
		"good":                {strings.NewReader("<xml></xml>"), nil, http.StatusOK, 1, 291},
		"the call fails":      {strings.NewReader("<xml></xml>"), errors.New("away"), http.StatusBadGateway, 1, len("away\n")},
		"the body breaks off": {iotest.ErrReader(io.ErrUnexpectedEOF), nil, http.StatusBadRequest, 0, len("unexpected EOF\n")},
	} {
		asked := 0
		h := newHandler(291, func(context.Context) error { asked++; return tt.err })
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", tt.body))
		if w.Code != tt.status || asked != tt.asked || w.Body.Len() != tt.size {
			t.Errorf("%s: got status %d, %d calls, %d bytes; want %d, %d, %d", name, w.Code, asked, w.Body.Len(), tt.status, tt.asked, tt.size)
		}
	}
}

// TestMessage: 130 is no size of a message with one field, as the length before 128 bytes takes two.
func TestMessage(t *testing.T) {
	for _, size := range []int{3, 64, 128, 129, 131, 132, 1000, 16386} {
		if got := proto.Size(newMessage(size)); got != size {
			t.Errorf("got a message of %d bytes; want %d", got, size)
		}
	}
}

// TestPair: a handler that asks the server of another listener, as two processes do.
func TestPair(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serveGRPC(lis, newMessage(33)) }()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	srv := httptest.NewServer(newHandler(10, func(ctx context.Context) error {
		answer := new(wrapperspb.BytesValue)
		err := conn.Invoke(ctx, method, newMessage(200), answer)
		sizes = append(sizes, proto.Size(answer))
		return err
	}))
	for range 2 {
		resp, err := srv.Client().Post(srv.URL, "text/xml", strings.NewReader("<xml></xml>"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || len(body) != 10 {
			t.Errorf("got %s, %q, %v; want 200 and 10 bytes", resp.Status, body, err)
		}
	}
	if len(sizes) != 2 || sizes[0] != 33 || sizes[1] != 33 {
		t.Errorf("got answers of %v bytes; want two of 33", sizes)
	}
	srv.Close()
	conn.Close()
	lis.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("serveGRPC: got %v; want that the listener is closed", err)
	}
}
