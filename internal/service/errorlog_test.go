package service

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// fullListener cannot accept its first connection, as when the process has no file descriptor left.
type fullListener struct {
	net.Listener
	failed atomic.Bool
}

func (l *fullListener) Accept() (net.Conn, error) {
	if l.failed.CompareAndSwap(false, true) {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// TestFindingsAcceptErrorsAreSeen: that no connection can be accepted is an error in the log; what a stranger sends wrong is
// not.
func TestFindingsAcceptErrorsAreSeen(t *testing.T) {
	var out bytes.Buffer
	env := NewEnv(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	lis, err := Listen("listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := NewHTTP(env, "listen", &fullListener{Listener: lis}, http.NotFoundHandler())
	stop := serve(t, h)
	if status, _, err := get(t, "http://"+h.Addr().String()); status != 404 {
		t.Errorf("after the error: status %d, %v; want 404", status, err)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if !strings.Contains(out.String(), "level=ERROR") || !strings.Contains(out.String(), "too many open files") {
		t.Errorf("the log does not tell of it:\n%s", out.String())
	}
	out.Reset()
	h.server.ErrorLog.Print("http: TLS handshake error from " + strings.Repeat("x", 1000))
	if got := out.String(); !strings.Contains(got, "level=DEBUG") || len(got) > 400 {
		t.Errorf("logged %s", got)
	}
}

// failingListener fails once, and is closed then.
type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

// TestFindingsGRPCAcceptErrors: that a gRPC server accepts no connection is an error in the log; its end is none.
func TestFindingsGRPCAcceptErrors(t *testing.T) {
	env, log := testEnv()
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.lis = &failingListener{g.lis, []error{&net.OpError{Op: "accept", Err: syscall.EMFILE}, net.ErrClosed}}
	if err := g.Serve(t.Context()); err == nil {
		t.Error("it serves without a listener")
	}
	if line := log.line(t, "cannot accept connections; trying again"); line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["error"]), "too many open files") {
		t.Errorf("got %v", line)
	}
}
