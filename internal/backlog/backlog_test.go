package backlog

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/internal/store/storetest"
	wechatv1 "wxgate/proto/wechat/v1"
)

func TestMain(m *testing.M) { storetest.VerifyTestMain(m) }

// patience is how long something may take; it fails a test, it never passes one.
const patience = 20 * time.Second

// serve runs a Backlog until the test ends, or stop is called.
func serve(t testing.TB, cfg store.Config, size int) (b *Backlog, stop func()) {
	t.Helper()
	cfg.Env = service.NewEnv(slog.New(slog.DiscardHandler))
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b = New(Config{Env: cfg.Env, Store: s, Size: size})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); b.Serve(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
			s.Close()
		}
	}
	t.Cleanup(stop)
	return b, stop
}

const size = 1 << 20

var numbers atomic.Int64

func message(user, content string) *wechatv1.Message {
	n := numbers.Add(1)
	return &wechatv1.Message{Account: "shop", ToUserName: "gh_1", FromUserName: user, CreateTime: 1767225600 + n, MsgType: "text", MsgId: n,
		Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: content}}}
}

func says(content string) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: content}}}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// next takes the next message, or gives up soon.
func (b *Backlog) next(t *testing.T, wait time.Duration) *Work {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	w, err := b.Next(ctx, nil)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return w
}

// dies lets a replica look dead to another.
func (b *Backlog) dies(replica string) {
	b.replicas.mu.Lock()
	defer b.replicas.mu.Unlock()
	b.replicas.lastHeartbeat[replica] = b.replicas.heartbeats - deadAfter
}

// state waits until a backlog knows a message in a state.
func (b *Backlog) state(t *testing.T, msg *wechatv1.Message, want State) Record {
	t.Helper()
	key, _ := msg.Key()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		r, ok := b.index.findByKey(key)
		if ok && r.State == want {
			return r
		}
		if time.Now().After(end) {
			t.Fatalf("the message is %v (%t), want %v", r.State, ok, want)
		}
	}
}

// TestStoredThenTaken: what a gateway stored one replica takes, with everything in it, once.
func TestStoredThenTaken(t *testing.T) {
	for name, cfg := range map[string]store.Config{"here": {}, "cluster": {URL: storetest.StartServer(t).URL()}} {
		t.Run(name, func(t *testing.T) {
			b, _ := serve(t, cfg, size)
			msg := message("oA", "hello")
			for range 2 { // a second gateway stores it too
				if err := b.Store(t.Context(), msg, time.Now(), false, "wait"); err != nil {
					t.Fatal(err)
				}
			}
			w := b.next(t, patience)
			if w == nil {
				t.Fatal("nothing to take")
			}
			if diff := cmp.Diff(msg, must(w.Message())(t), protocmp.Transform()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if text, known, _ := b.Lookup(t.Context(), msg); !known || text != "wait" {
				t.Errorf("known %t, %q", known, text)
			}
			if !b.StoredLocally(msg) || b.StoredLocally(message("oA", "other")) {
				t.Error("it remembers another message")
			}
			if w := b.next(t, 300*time.Millisecond); w != nil {
				t.Error("it was taken twice")
			}
			if err := w.End(t.Context(), Silent, "", ""); err != nil {
				t.Error(err)
			}
			if err := b.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
				t.Error(err)
			}
			if w := b.next(t, 300*time.Millisecond); w != nil {
				t.Error("a message that ended was stored again")
			}
		})
	}
}

// TestOneSends: of two replicas that think a message theirs, one may send.
func TestOneSends(t *testing.T) {
	url := storetest.StartServer(t).URL()
	a, _ := serve(t, store.Config{URL: url}, size)
	b, _ := serve(t, store.Config{URL: url}, size)
	msg := message("oA", "hello")
	mine := must(a.Defer(t.Context(), msg, time.Now(), false, ""))(t)
	b.state(t, msg, Pending)
	if w := b.next(t, 300*time.Millisecond); w != nil {
		t.Fatal("the message of a replica that is alive was taken")
	}
	if _, err := b.Defer(t.Context(), msg, time.Now(), false, ""); !errors.Is(err, ErrTaken) {
		t.Errorf("Defer of another's message: %v; want %v", err, ErrTaken)
	}
	b.dies(a.replicas.me)
	other := b.next(t, patience)
	if other == nil {
		t.Fatal("nothing to take from the dead")
	}
	if err := mine.BeginAttempt(t.Context(), says("a"), 1, 0); !errors.Is(err, ErrTaken) {
		t.Errorf("Begin of who lost it: %v; want %v", err, ErrTaken)
	}
	if err := other.BeginAttempt(t.Context(), says("b"), 1, 0); err != nil {
		t.Error(err)
	}
	if err := other.End(t.Context(), Sent, "", ""); err != nil {
		t.Error(err)
	}
	if r := a.state(t, msg, Sent); r.Sent != 1 || r.Takes != 2 || r.Message != nil {
		t.Errorf("got %+v", r)
	}
}

// TestDiedWhileSending: who takes the message over knows which attempt is open, and the one that comes back does not go on.
func TestDiedWhileSending(t *testing.T) {
	url := storetest.StartServer(t).URL()
	a, _ := serve(t, store.Config{URL: url}, size)
	b, _ := serve(t, store.Config{URL: url}, size)
	msg := message("oA", "hello")
	mine := must(a.Defer(t.Context(), msg, time.Now(), false, ""))(t)
	if _, _, open := mine.LastAttempt(); open {
		t.Error("an attempt is open before it was begun")
	}
	if err := mine.BeginAttempt(t.Context(), says("a"), 1, 0); err != nil {
		t.Fatal(err)
	}
	id, begun, _ := mine.LastAttempt()
	b.state(t, msg, Sending)
	b.dies(a.replicas.me)
	w := b.next(t, patience)
	if w == nil {
		t.Fatal("nothing to take from the dead")
	}
	if got, at, open := w.LastAttempt(); got != id || id == "" || !at.Equal(begun) || !open {
		t.Errorf("attempt %q of %v, open %t; want %q of %v", got, at, open, id, begun)
	}
	if reply, sent := w.Reply(); reply.GetText().GetContent() != "a" || sent != 0 {
		t.Errorf("the answer is %v, %d parts were sent", reply, sent)
	}
	if err := mine.End(t.Context(), Sent, "", ""); !errors.Is(err, ErrTaken) {
		t.Errorf("it came back: %v; want %v", err, ErrTaken)
	}
	if err := w.BeginAttempt(t.Context(), says("a"), 1, 0); err != nil {
		t.Fatal(err)
	}
	if again, _, _ := w.LastAttempt(); again == id {
		t.Error("two attempts have one name")
	}
	if err := w.End(t.Context(), Sent, "", ""); err != nil {
		t.Error(err)
	}
}

// TestGoodbye: a replica that stops leaves its messages to others at once.
func TestGoodbye(t *testing.T) {
	url := storetest.StartServer(t).URL()
	a, stop := serve(t, store.Config{URL: url}, size)
	b, _ := serve(t, store.Config{URL: url}, size)
	msg := message("oA", "hello")
	must(a.Defer(t.Context(), msg, time.Now(), true, "later"))(t)
	b.state(t, msg, Pending)
	stop()
	w := b.next(t, patience)
	if w == nil || !w.IsLater() {
		t.Fatalf("got %v", w)
	}
}

// TestTurn: a user's answers go in the order of the messages; other users do not wait.
func TestTurn(t *testing.T) {
	b, _ := serve(t, store.Config{}, size)
	first, second, other := message("oA", "1"), message("oA", "2"), message("oB", "3")
	two := must(b.Defer(t.Context(), second, time.Now(), false, ""))(t)
	one := must(b.Defer(t.Context(), first, time.Now(), false, ""))(t)
	kept := must(b.Defer(t.Context(), message("oB", "kept"), time.Now(), true, ""))(t)
	if err := kept.KeepReply(t.Context(), says("kept")); err != nil {
		t.Fatal(err)
	}
	if err := must(b.Defer(t.Context(), other, time.Now(), false, ""))(t).AwaitTurn(t.Context()); err != nil {
		t.Error(err)
	}
	if err := one.AwaitTurn(t.Context()); err != nil {
		t.Error(err)
	}
	turned := make(chan error, 1)
	go func() { turned <- two.AwaitTurn(t.Context()) }()
	select {
	case err := <-turned:
		t.Fatalf("the second message's answer did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := one.End(t.Context(), Refused, "WINDOW_CLOSED", "45015"); err != nil {
		t.Fatal(err)
	}
	if err := <-turned; err != nil {
		t.Error(err)
	}
}

// TestFetch: an answer that is kept goes to the user's next message, once.
func TestFetch(t *testing.T) {
	b, _ := serve(t, store.Config{}, size)
	msg := message("oA", "question")
	if _, _, pending := b.FetchAnswer(t.Context(), msg); pending {
		t.Error("pending before anything was stored")
	}
	w := must(b.Defer(t.Context(), msg, time.Now(), true, "wait"))(t)
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if reply, text, pending := b.FetchAnswer(soon, message("oA", "?")); reply != nil || text != "wait" || !pending {
		t.Errorf("not ready: %v, %q, %t", reply, text, pending)
	}
	if _, _, pending := b.FetchAnswer(t.Context(), msg); pending {
		t.Error("a message waits for itself")
	}
	if _, _, pending := b.FetchAnswer(t.Context(), message("oB", "?")); pending {
		t.Error("another user gets it")
	}
	got := make(chan *wechatv1.Reply, 1)
	go func() {
		reply, _, _ := b.FetchAnswer(t.Context(), message("oA", "??"))
		got <- reply
	}()
	if err := w.KeepReply(t.Context(), says("answer")); err != nil {
		t.Fatal(err)
	}
	if reply := <-got; !proto.Equal(reply, says("answer")) {
		t.Errorf("got %v", reply)
	}
	if _, _, pending := b.FetchAnswer(t.Context(), message("oA", "???")); pending {
		t.Error("it was fetched twice")
	}
	b.state(t, msg, Sent)
}

// TestFindingsFetchedAnswerIsGivenAgain: WeChat may lose an answer that was fetched: each attempt of the message that fetched it
// gets it, in whatever process, and no other message.
func TestFindingsFetchedAnswerIsGivenAgain(t *testing.T) {
	dir := t.TempDir()
	b, stop := serve(t, store.Config{Dir: dir}, size)
	question, fetcher := message("oA", "question"), message("oA", "well?")
	w := must(b.Defer(t.Context(), question, time.Now(), true, "wait"))(t)
	if err := w.KeepReply(t.Context(), says("answer")); err != nil {
		t.Fatal(err)
	}
	again := func(process string) {
		t.Helper()
		for range 2 {
			if reply, _, pending := b.FetchAnswer(t.Context(), fetcher); !pending || !proto.Equal(reply, says("answer")) || !b.FetchesAnswer(fetcher) {
				t.Errorf("%s: got %v, %t", process, reply, pending)
			}
		}
		for _, msg := range []*wechatv1.Message{question, message("oA", "more"), message("oB", "well?"), {MsgType: "text"}} {
			if reply, _, pending := b.FetchAnswer(t.Context(), msg); pending || b.FetchesAnswer(msg) {
				t.Errorf("%s: %v got %v", process, msg, reply)
			}
		}
	}
	again("the process that kept it")
	stop()
	b, _ = serve(t, store.Config{Dir: dir}, size)
	b.state(t, question, Sent)
	again("the next process")
}

// TestBounds: too many messages are refused, those that are stored can still change, and one without a key is none.
func TestBounds(t *testing.T) {
	b, _ := serve(t, store.Config{}, 4000)
	var last *Work
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		var w *Work
		if w, err = b.Defer(t.Context(), message("oA", "hello"), time.Now(), false, ""); err == nil {
			last = w
		}
	}
	if !errors.Is(err, ErrFull) || n < 5 {
		t.Errorf("after %d messages: %v; want %v", n, err, ErrFull)
	}
	if err := b.Store(t.Context(), message("oA", "hello"), time.Now(), false, ""); !errors.Is(err, ErrFull) {
		t.Errorf("Store: %v; want %v", err, ErrFull)
	}
	if err := last.End(t.Context(), Sent, "", ""); err != nil {
		t.Error(err)
	}
	if err := b.Store(t.Context(), &wechatv1.Message{MsgType: "text"}, time.Now(), false, ""); !errors.Is(err, ErrNoKey) {
		t.Errorf("Store without a key: %v; want %v", err, ErrNoKey)
	}
	if _, err := b.Defer(t.Context(), &wechatv1.Message{MsgType: "text"}, time.Now(), false, ""); !errors.Is(err, ErrNoKey) {
		t.Errorf("Defer without a key: %v; want %v", err, ErrNoKey)
	}
}

// TestClusterLate: a backlog opens while its cluster is away, says so, and works once it is there; when it goes away, what
// is under way waits for it.
func TestClusterLate(t *testing.T) {
	cluster := storetest.ReserveServer(t)
	b, _ := serve(t, store.Config{URL: cluster.URL(), Patient: true}, size)
	msg := message("oA", "hello")
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := b.Store(soon, msg, time.Now(), false, ""); err == nil {
		t.Error("stored without a cluster")
	}
	cluster.StartAgain()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = b.Store(t.Context(), msg, time.Now(), false, ""); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	w := b.next(t, patience)
	if w == nil {
		t.Fatal("nothing to take")
	}
	cluster.Stop()
	begun := make(chan error, 1)
	go func() { begun <- w.BeginAttempt(t.Context(), says("a"), 1, 0) }()
	select {
	case err := <-begun:
		t.Fatalf("begun without a cluster: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	cluster.StartAgain()
	if err := <-begun; err != nil {
		t.Error(err)
	}
	b.state(t, msg, Sending)
	// And what others change is seen again.
	if err := b.Store(t.Context(), message("oB", "again"), time.Now(), false, ""); err != nil {
		t.Fatal(err)
	}
	if w := b.next(t, patience); w == nil {
		t.Error("after the cluster came back nothing is taken")
	}
}

// TestWindow: what WeChat would not take any more ends, and is not sent.
func TestWindow(t *testing.T) {
	b, _ := serve(t, store.Config{}, size)
	msg := message("oA", "hello")
	if err := b.Store(t.Context(), msg, time.Now().Add(-Window-time.Second), false, ""); err != nil {
		t.Fatal(err)
	}
	if w := b.next(t, time.Second); w != nil {
		t.Error("taken")
	}
	b.state(t, msg, Expired)
	kept := message("oB", "hello")
	w := must(b.Defer(t.Context(), kept, time.Now().Add(-Window-time.Second), true, ""))(t)
	if err := w.KeepReply(t.Context(), says("a")); err != nil {
		t.Fatal(err)
	}
	b.endExpired(t.Context())
	b.state(t, kept, Expired)
}

// TestFailedDefer: a message that could not be stored is nobody's work.
func TestFailedDefer(t *testing.T) {
	cluster := storetest.ReserveServer(t)
	b, _ := serve(t, store.Config{URL: cluster.URL(), Patient: true}, size)
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if w, err := b.Defer(soon, message("oA", "hello"), time.Now(), false, ""); w != nil || err == nil {
		t.Errorf("got %v, %v", w, err)
	}
}
