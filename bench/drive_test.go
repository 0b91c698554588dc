package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"wxgate/internal/testaddr"
	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accountsOf returns a plain account and one in safe mode.
func accountsOf(t *testing.T) []*benchAccount {
	t.Helper()
	cipher, err := wechat.NewCipher(aesKey, appID)
	if err != nil {
		t.Fatal(err)
	}
	return []*benchAccount{{name: "plain", token: "plainToken"}, {name: "safe", token: "safeToken", cipher: cipher}}
}

// received is a callback whose signatures are right.
type received struct {
	*benchAccount
	*wechatv1.Message
}

// receive reads a callback as a gateway does.
func receive(accounts []*benchAccount, r *http.Request) (received, error) {
	at := slices.IndexFunc(accounts, func(a *benchAccount) bool { return r.Method+r.URL.Path == "POST/wechat/"+a.name })
	if at < 0 {
		return received{}, fmt.Errorf("%s %s is of no account", r.Method, r.URL.Path)
	}
	a, q := accounts[at], r.URL.Query()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return received{}, err
	}
	if !wechat.VerifySignature(q.Get("signature"), a.token, q.Get("timestamp"), q.Get("nonce")) {
		return received{}, errors.New("signature is wrong")
	}
	if a.cipher != nil {
		d, err := wechat.Parse(body)
		if err != nil {
			return received{}, err
		}
		sealed, _ := d.Text("Encrypt")
		if !wechat.VerifySignature(q.Get("msg_signature"), a.token, q.Get("timestamp"), q.Get("nonce"), sealed) {
			return received{}, errors.New("msg_signature is wrong")
		}
		if body, err = a.cipher.Open(sealed); err != nil {
			return received{}, err
		}
	}
	m, err := wechat.Decode(body)
	if err != nil {
		return received{}, err
	}
	m.Account = a.name
	return received{a, m}, nil
}

// answer returns a text for the sender, sealed where the account is.
func (r received) answer(text string) []byte {
	echo := &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: text}}}
	body := wechat.EncodeReply(echo, r.FromUserName, r.ToUserName, r.CreateTime)
	if r.cipher == nil {
		return body
	}
	return r.cipher.SealReply(r.token, body, r.CreateTime, "nonce")
}

// endpoint is a server that counts what it answers, and a target for it.
type endpoint struct {
	*callbackTarget
	answered, connected atomic.Int64
	gone                chan struct{} // has one for each connection that was closed
}

// listen answers callbacks of the accounts by what f makes of them.
func listen(t *testing.T, accounts []*benchAccount, f func(http.ResponseWriter, received)) *endpoint {
	t.Helper()
	e := &endpoint{gone: make(chan struct{}, 1000)}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := receive(accounts, r)
		if err != nil {
			t.Errorf("callback: %v", err)
			return
		}
		e.answered.Add(1)
		f(w, got)
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			e.connected.Add(1)
		case http.StateClosed:
			e.gone <- struct{}{}
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	e.callbackTarget = &callbackTarget{addr: srv.Listener.Addr().String(), accounts: accounts, check: (*benchAccount).checkEcho, numbers: new(atomic.Int64)}
	return e
}

// echo answers as the echo rule does.
func echo(w http.ResponseWriter, r received) { _, _ = w.Write(r.answer(r.GetText().GetContent())) }

// TestClosed: messages of all accounts go over the same 32 connections, each once, and as many are counted as were answered.
func TestClosed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	ids, byAccount := map[int64]bool{}, map[string]int{}
	e := listen(t, accountsOf(t), func(w http.ResponseWriter, r received) {
		mu.Lock()
		ids[r.MsgId] = true
		byAccount[r.name]++
		if len(ids) == 10*connections {
			cancel()
		}
		mu.Unlock()
		echo(w, r)
	})
	got, err := e.sendClosed(ctx, time.Hour)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want that it was cancelled", err)
	}
	if want := int(e.answered.Load()); got != want || len(ids) != want {
		t.Errorf("counted %d of %d messages; want all of %d", got, len(ids), want)
	}
	if n := e.connected.Load(); n != 32 {
		t.Errorf("got %d connections; want 32", n)
	}
	for n := range connections {
		select {
		case <-e.gone:
		case <-time.After(10 * time.Second):
			t.Fatalf("%d connections are left", connections-n)
		}
	}
	if byAccount["plain"] < 100 || byAccount["safe"] < 100 {
		t.Errorf("got messages by account %v; want as many of each", byAccount)
	}
}

// TestClosedOnceEach: a time that is over before the first answer is no error.
func TestClosedOnceEach(t *testing.T) {
	e := listen(t, accountsOf(t), echo)
	if got, err := e.sendClosed(t.Context(), 0); got != connections || err != nil {
		t.Errorf("got %d, %v; want %d", got, err, connections)
	}
}

// TestWrongAnswers: each is an error, and none is counted.
func TestWrongAnswers(t *testing.T) {
	accounts := accountsOf(t)
	plain, safe := accounts[:1], accounts[1:]
	for name, tt := range map[string]struct {
		accounts []*benchAccount
		answer   func(http.ResponseWriter, received)
		want     string
	}{
		"status": {plain, func(w http.ResponseWriter, r received) {
			w.WriteHeader(http.StatusInternalServerError)
			echo(w, r)
		}, "got status 500 Internal Server Error"},
		"closing": {plain, func(w http.ResponseWriter, r received) {
			w.Header().Set("Connection", "close")
			echo(w, r)
		}, "the server closes the connection"},
		"no HTTP": {plain, func(http.ResponseWriter, received) { panic(http.ErrAbortHandler) }, "read the answer: unexpected EOF"},
		"success": {plain, func(w http.ResponseWriter, _ received) { _, _ = io.WriteString(w, wechat.Success) }, "got an answer of 7 bytes; want the echo, "},
		"breaks off": {plain, func(w http.ResponseWriter, r received) {
			w.Header().Set("Content-Length", "1000")
			echo(w, r)
		}, "read the answer: unexpected EOF"},
		"another message's": {plain, func(w http.ResponseWriter, r received) {
			_, _ = w.Write(r.answer(strings.Replace(r.GetText().GetContent(), "0", "x", 1)))
		}, "the answer is not the echo of the message"},
		"another user's": {plain, func(w http.ResponseWriter, r received) {
			r.FromUserName = strings.Replace(r.FromUserName, "0", "x", 1)
			echo(w, r)
		}, "the answer is not the echo of the message"},
		"another message's, sealed": {safe, func(w http.ResponseWriter, r received) {
			_, _ = w.Write(r.answer(strings.Replace(r.GetText().GetContent(), "0", "x", 1)))
		}, "the answer is not the echo of the message"},
		"not sealed": {safe, func(w http.ResponseWriter, r received) {
			r.benchAccount = &benchAccount{}
			echo(w, r)
		}, "the answer's signature is wrong"},
		"wrong signature": {safe, func(w http.ResponseWriter, r received) {
			r.benchAccount = &benchAccount{token: "otherToken", cipher: r.cipher}
			echo(w, r)
		}, "the answer's signature is wrong"},
		"no XML": {safe, func(w http.ResponseWriter, _ received) { _, _ = io.WriteString(w, wechat.Success) }, "the root element <xml> is expected"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listen(t, tt.accounts, tt.answer).sendClosed(t.Context(), 0)
			if got != 0 || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d, %v; want 0, %s", got, err, tt.want)
			}
		})
	}
}

// TestNoServer: who can't connect says so.
func TestNoServer(t *testing.T) {
	e := &callbackTarget{addr: testaddr.Unused(t)}
	if _, err := e.sendClosed(t.Context(), 0); err == nil {
		t.Error("closed: got no error")
	}
	if _, _, err := e.sendOpen(t.Context(), 1, time.Second); err == nil {
		t.Error("open: got no error")
	}
}

// TestOpen: messages go out at their rate, whatever comes back, and one that waits for a free connection is late by that.
func TestOpen(t *testing.T) {
	const (
		count = connections + 8
		hold  = 100 * time.Millisecond // all messages are due within
	)
	var arrived atomic.Int64
	release := make(chan struct{})
	e := listen(t, accountsOf(t), func(w http.ResponseWriter, r received) {
		if arrived.Add(1) == connections {
			time.AfterFunc(hold, func() { close(release) })
		}
		<-release
		echo(w, r)
	})
	latencies, late, err := e.sendOpen(t.Context(), 1000, count*time.Millisecond)
	if err != nil || len(latencies) != count || len(late) != count || e.answered.Load() != count || e.connected.Load() != connections {
		t.Fatalf("got %d latencies, %d late, %d answers, %d connections, %v; want %d thrice, %d, nil",
			len(latencies), len(late), e.answered.Load(), e.connected.Load(), err, count, connections)
	}
	if !slices.IsSorted(latencies) || !slices.IsSorted(late) {
		t.Errorf("not in order: %v, %v", latencies, late)
	}
	// The last is due 8 ms after the 32nd, which came before hold began.
	if latencies[0] < hold-8*time.Millisecond {
		t.Errorf("got a latency of %v; want none under %v", latencies[0], hold-8*time.Millisecond)
	}
}

// TestOpenWrongAnswer: one wrong answer of many is an error.
func TestOpenWrongAnswer(t *testing.T) {
	e := listen(t, accountsOf(t), func(w http.ResponseWriter, r received) {
		if r.MsgId%50 == 0 {
			return
		}
		echo(w, r)
	})
	if _, _, err := e.sendOpen(t.Context(), 10_000, 10*time.Millisecond); err == nil || !strings.Contains(err.Error(), "got an answer of 0 bytes") {
		t.Errorf("got %v; want that an answer is empty", err)
	}
}

// TestMessages: no two are the same, and all are of one size, so that the bare handler's answer is as long as each echo.
func TestMessages(t *testing.T) {
	a := accountsOf(t)[0]
	first, last := a.newMessage(0), a.newMessage(1e12-1)
	if proto.Size(first) != proto.Size(last) || first.MsgId == last.MsgId || first.FromUserName == last.FromUserName ||
		first.GetText().GetContent() == last.GetText().GetContent() {
		t.Errorf("got %v and %v; want other users' texts, of the same size", first, last)
	}
}
