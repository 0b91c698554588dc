package fakewechat

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A Line whose client keeps connections uses one for messages in a row.
func TestLineKeepsConnections(t *testing.T) {
	var connections atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") }))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	line, err := (&Sender{URL: srv.URL, Account: testAccount(""), Client: client}).Line()
	if err != nil {
		t.Fatal(err)
	}
	if line.Mode() != Safe {
		t.Errorf("mode %q, want that of an account with a key", line.Mode())
	}
	for range 3 {
		r, err := line.Send(t.Context(), compose(t, "text", "hi"))
		if err != nil || len(r.Refused) != 0 || string(r.Body) != "success" {
			t.Fatalf("got %+v, %v", r, err)
		}
	}
	if connections.Load() != 1 {
		t.Errorf("%d connections, want 1", connections.Load())
	}
}

func TestLineErrors(t *testing.T) {
	short := testAccount(Compat)
	short.AESKey = "short"
	for _, c := range []struct {
		sender Sender
		want   string
	}{
		{Sender{URL: "127.0.0.1:8000", Account: testAccount(Plain)}, "the gateway's URL must look like"},
		{Sender{URL: "http://127.0.0.1:8000/", Account: short}, "compat mode: an EncodingAESKey has 43 characters"},
		{Sender{URL: "http://127.0.0.1:8000/", Account: testAccount("loud")}, `unknown mode "loud"`},
	} {
		if l, err := c.sender.Line(); l != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, %v; want %q", l, err, c.want)
		}
	}
	if err := short.Validate(); err == nil {
		t.Error("the short key is taken for valid")
	}
	good := testAccount(Safe)
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}
