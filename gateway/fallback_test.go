package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/internal/store/storetest"
	"wxgate/internal/testaddr"
	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// withBacklog gives a gateway a store and a replier that is away.
func withBacklog(t *testing.T, url string) func(*Config) {
	return func(cfg *Config) {
		kept, err := store.Open(store.Config{Env: cfg.Env, URL: url, Patient: url != ""})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(kept.Close)
		cfg.Backlog = backlog.New(backlog.Config{Env: cfg.Env, Store: kept, Size: 1 << 20})
		cfg.ReplyTimeout = 400 * time.Millisecond
		cfg.BusyText = "sorry"
		cfg.Replier.Addr = testaddr.Unused(t)
		for i := range cfg.Accounts.List {
			cfg.Accounts.List[i].HasSecret = true
		}
	}
}

// attempt posts a callback as WeChat does, whose patience is shorter here; false where it was left without an answer.
func (f *fixture) attempt(t *testing.T, c callback) (answer, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.public+c.path+"?"+c.query, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := f.client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return answer{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{Status: resp.StatusCode, Body: string(body)}, true
}

// numbered returns a text message with an id of its own.
func numbered(id int) string {
	return strings.Replace(textXML(testText), "24817263549081736", fmt.Sprint(id), 1)
}

// TestOutageStored: a message whose replier is away, or was cut off, is stored before WeChat hears success; once.
func TestOutageStored(t *testing.T) {
	for name, says := range map[string]func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error){
		"away": nil,
		"hangs": func(ctx context.Context, _ *wechatv1.Message) (*wechatv1.Reply, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"cut off": func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) {
			return nil, status.Error(codes.Unavailable, "gone")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b *backlog.Backlog
			f := start(t, func(cfg *Config) {
				here := cfg.Replier.Addr
				withBacklog(t, "")(cfg)
				b = cfg.Backlog
				if says != nil {
					cfg.Replier.Addr = here
				}
			})
			f.bot.will(says)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); b.Serve(ctx) }()
			defer func() { stop(); <-done }()
			for range 2 { // WeChat did not hear the first success
				f.post(t, own.plain("/", textXML(testText))).expect(t, 200, "success")
			}
			w, err := b.Next(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			msg, err := w.Message()
			if err != nil || msg.GetText().GetContent() != testText || msg.GetAccount() != "plain" {
				t.Errorf("stored: %v, %v", msg, err)
			}
			soon, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			if _, err := b.Next(soon, nil); err == nil {
				t.Error("stored twice")
			}
			if got := f.outcomes(t); got["stored"] != 2 || len(got) != 1 {
				t.Errorf("outcomes %v", got)
			}
		})
	}
}

// TestUnsure: a replier that was cut off says what it would; where the message turns out to be stored its answer follows, and
// WeChat gets none now.
func TestUnsure(t *testing.T) {
	nats := storetest.StartServer(t)
	const stored = 1001
	says := &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: "re"}}}
	f := start(t, func(cfg *Config) {
		withBacklog(t, nats.URL())(cfg)
		cfg.Replier.Addr = holder{says: &replierv1.ReplyResponse{
			Reply:        says,
			Coordination: &replierv1.Coordination{State: replierv1.ReplyState_REPLY_STATE_UNSURE},
		}}.listen(t)
	})
	kept, err := store.Open(store.Config{Env: service.NewEnv(f.env.Log), URL: nats.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	another := backlog.New(backlog.Config{Env: service.NewEnv(f.env.Log), Store: kept, Size: 1 << 20})
	msg, err := wechat.Decode([]byte(numbered(stored)))
	if err != nil {
		t.Fatal(err)
	}
	msg.Account = "plain"
	if err := another.Store(t.Context(), msg, time.Now(), false, ""); err != nil {
		t.Fatal(err)
	}
	if got := f.post(t, own.plain("/", numbered(stored+1))); !strings.Contains(got.Body, "<![CDATA[re]]>") {
		t.Errorf("a message that is not stored: %q", got.Body)
	}
	f.post(t, own.plain("/", numbered(stored))).expect(t, 200, "success")
	if got := f.outcomes(t); got["repeated"] != 1 || got["replied"] != 1 || len(got) != 2 {
		t.Errorf("outcomes %v", got)
	}
	nats.Stop()
	if got := f.post(t, own.plain("/", numbered(stored+2))); !strings.Contains(got.Body, "<![CDATA[re]]>") {
		t.Errorf("where the store is away: %q", got.Body)
	}
}

// TestHandsOver: what a gateway answered is known after its end too.
func TestHandsOver(t *testing.T) {
	nats := storetest.StartServer(t)
	f := start(t, func(cfg *Config) {
		here := cfg.Replier.Addr
		withBacklog(t, nats.URL())(cfg)
		cfg.Replier.Addr, cfg.ReplyTimeout = here, 4500*time.Millisecond
	})
	f.bot.will(echo)
	kept, err := store.Open(store.Config{Env: service.NewEnv(f.env.Log), URL: nats.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	another := backlog.New(backlog.Config{Env: service.NewEnv(f.env.Log), Store: kept, Size: 1 << 20})
	if err := another.ListenForQuestions(); err != nil {
		t.Fatal(err)
	}
	if err := kept.Publish("nobody", nil); err != nil { // the server knows by now who hears of what
		t.Fatal(err)
	}
	msg, err := wechat.Decode([]byte(textXML(testText)))
	if err != nil {
		t.Fatal(err)
	}
	msg.Account = "plain"
	if got := f.post(t, own.plain("/", textXML(testText))); !strings.HasPrefix(got.Body, "<xml>") || another.AnsweredLocally(msg) {
		t.Fatalf("got %q", got.Body)
	}
	f.stop()
	for end := time.Now().Add(10 * time.Second); !another.AnsweredLocally(msg); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what it answered is forgotten")
		}
	}
}

// TestUnstored: what a replier could not store in time the gateway stores.
func TestUnstored(t *testing.T) {
	f := start(t, func(cfg *Config) {
		withBacklog(t, "")(cfg)
		cfg.Replier.Addr = holder{unstored: true}.listen(t)
	})
	f.post(t, own.plain("/", textXML(testText))).expect(t, 200, "success")
	if got := f.outcomes(t); got["stored"] != 1 || len(got) != 1 {
		t.Errorf("outcomes %v", got)
	}
}

// TestOutageHeld: what cannot be stored WeChat is to send again; where nothing answers its last attempt either, the user
// is told.
func TestOutageHeld(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *Config){
		"no store":     func(t *testing.T, cfg *Config) { withBacklog(t, "")(cfg); cfg.Backlog = nil },
		"store away":   func(t *testing.T, cfg *Config) { withBacklog(t, storetest.ReserveServer(t).URL())(cfg) },
		"no AppSecret": func(t *testing.T, cfg *Config) { withBacklog(t, "")(cfg); cfg.Accounts.List[0].HasSecret = false },
		"told to hold": func(t *testing.T, cfg *Config) { withBacklog(t, "")(cfg); cfg.Slow.How = accounts.Hold },
		"account holds": func(t *testing.T, cfg *Config) {
			withBacklog(t, "")(cfg)
			cfg.Accounts.List[0].Slow.How = accounts.Hold
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, func(cfg *Config) { change(t, cfg) })
			for attempt := range wechatv1.MaxAttempts {
				got, answered := f.attempt(t, own.plain("/", numbered(1)))
				if last := attempt == wechatv1.MaxAttempts-1; answered != last || last && !strings.Contains(got.Body, "<![CDATA[sorry]]>") {
					t.Errorf("attempt %d: %t, %v", attempt+1, answered, got)
				}
			}
			if got, answered := f.attempt(t, own.plain("/", numbered(2))); answered {
				t.Errorf("the first attempt of another message counts as the fourth: %v, %v", got, f.outcomes(t))
			}
		})
	}
}

// TestOutageLastAttempt: where attempts met other gateways, WeChat's clock tells which is the last.
func TestOutageLastAttempt(t *testing.T) {
	f := start(t, func(cfg *Config) {
		withBacklog(t, "")(cfg)
		cfg.Backlog = nil
	})
	sent := func(ago time.Duration) string {
		return strings.Replace(numbered(int(ago)+1), "1767225600", fmt.Sprint(time.Now().Add(-ago).Unix()), 1)
	}
	for _, ago := range []time.Duration{0, 5 * time.Second, time.Hour} {
		if got, answered := f.attempt(t, own.plain("/", sent(ago))); answered {
			t.Errorf("%s after the message: answered %v", ago, got)
		}
	}
	if got, answered := f.attempt(t, own.plain("/", sent(10*time.Second))); !answered || !strings.Contains(got.Body, "<![CDATA[sorry]]>") {
		t.Errorf("10s after the message: %t, %v; want the busy text", answered, got)
	}
}

// TestOutageWays: what else an account may want.
func TestOutageWays(t *testing.T) {
	for name, tt := range map[string]struct {
		slow          accounts.Slow
		size          int
		want, outcome string
	}{
		"drop":  {accounts.Slow{How: accounts.Drop}, 1 << 20, "success", "dropped"},
		"later": {accounts.Slow{How: accounts.Later, Text: "ask again"}, 1 << 20, "<![CDATA[ask again]]>", "stored"},
		"push":  {accounts.Slow{How: accounts.Push, Text: "a moment"}, 1 << 20, "<![CDATA[a moment]]>", "stored"},
		"full":  {accounts.Slow{}, 1, "<![CDATA[sorry]]>", "given_up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, func(cfg *Config) {
				withBacklog(t, "")(cfg)
				cfg.Slow = tt.slow
				if tt.size == 1 { // a byte is there
					kept, err := store.Open(store.Config{Env: service.NewEnv(cfg.Env.Log)})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(kept.Close)
					cfg.Backlog = backlog.New(backlog.Config{Env: cfg.Env, Store: kept, Size: 1})
					if err := cfg.Backlog.Store(t.Context(), &wechatv1.Message{MsgId: 1}, time.Now(), false, ""); err != nil {
						t.Fatal(err)
					}
				}
			})
			if got := f.post(t, own.plain("/", textXML(testText))); got.Status != 200 || !strings.Contains(got.Body, tt.want) {
				t.Errorf("%d %s; want %s", got.Status, got.Body, tt.want)
			}
			if got := f.outcomes(t); got[tt.outcome] != 1 || len(got) != 1 {
				t.Errorf("outcomes %v, want %s", got, tt.outcome)
			}
		})
	}
}

// TestFindingsLaterWithoutReplier: who writes while no replier is there is told to write again, and the answer is kept for that.
func TestFindingsLaterWithoutReplier(t *testing.T) {
	for name, text := range map[string]string{accounts.LaterText: "", "ask again": "ask again"} {
		t.Run(name, func(t *testing.T) {
			var b *backlog.Backlog
			f := start(t, func(cfg *Config) {
				withBacklog(t, "")(cfg)
				cfg.Slow = accounts.Slow{How: accounts.Later, Text: text}
				b = cfg.Backlog
			})
			for range 2 { // WeChat did not hear the first one
				if got := f.post(t, own.plain("/", textXML(testText))); !strings.Contains(got.Body, "<![CDATA["+name+"]]>") {
					t.Errorf("%s; want %q", got.Body, name)
				}
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); b.Serve(ctx) }()
			defer func() { stop(); <-done }()
			w, err := b.Next(ctx, nil)
			if err != nil || !w.IsLater() || !w.WasTold() {
				t.Errorf("stored: %+v, %v; want one for the user's next message", w, err)
			}
		})
	}
}
