package oauthsvc

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	oauthv1 "wxgate/proto/oauth/v1"
)

// counted returns a call that takes a second of the bubble's time and ends with the outcomes given, the last one again
// and again, and how often it was made.
func counted(outcomes ...outcome) (func(context.Context) outcome, *atomic.Int32) {
	var made atomic.Int32
	return func(ctx context.Context) outcome {
		n := int(made.Add(1))
		select {
		case <-time.After(time.Second):
			return outcomes[min(n, len(outcomes))-1]
		case <-ctx.Done():
			return outcome{failure: canceled()}
		}
	}, &made
}

func token(access string) outcome { return outcome{body: body{AccessToken: access, OpenID: "o"}} }

func refusedWith(errcode int) outcome { return outcome{failure: refusal(exchangeCall, errcode, "")} }

// inBubble runs a test with a book of its own, in a synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, b *codeBook)) {
	synctest.Test(t, func(t *testing.T) {
		b := newCodeBook()
		defer b.close()
		test(t, b)
	})
}

// reasonOf returns the reason of a failed outcome, "" for a good one.
func reasonOf(o outcome) string {
	if o.failure == nil {
		return ""
	}
	return reasonName(o.failure.reason)
}

func TestManyCallersOneCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *codeBook) {
		call, made := counted(token("a"))
		var waiting sync.WaitGroup
		var own atomic.Int32
		for range 100 {
			waiting.Go(func() {
				out, shared := b.exchange(t.Context(), "default", "code", "state", call)
				if out.body.AccessToken != "a" {
					t.Errorf("outcome %+v; want the token", out)
				}
				if !shared {
					own.Add(1)
				}
			})
		}
		waiting.Wait()
		if made.Load() != 1 || own.Load() != 1 {
			t.Errorf("%d calls, %d callers who made one; want 1, 1", made.Load(), own.Load())
		}
	})
}

func TestOutcomeIsKeptFiveMinutes(t *testing.T) {
	for name, o := range map[string]outcome{
		"token": token("a"), "code used": refusedWith(40163), "code invalid": refusedWith(40029),
		"code expired": refusedWith(42003), "user restricted": refusedWith(50002), "user declined": refusedWith(50001),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *codeBook) {
				call, made := counted(o)
				ask := func() outcome {
					out, _ := b.exchange(t.Context(), "default", "code", "state", call)
					return out
				}
				first := ask()
				time.Sleep(5*time.Minute - time.Second)
				if again := ask(); again.body.AccessToken != first.body.AccessToken || again.failure != first.failure || made.Load() != 1 {
					t.Errorf("within 5 minutes: %q after %d calls; want the same after 1", reasonOf(again), made.Load())
				}
				time.Sleep(2 * time.Second)
				if ask(); made.Load() != 2 {
					t.Errorf("after 5 minutes: %d calls; want 2", made.Load())
				}
			})
		})
	}
}

func TestFailureIsNotKept(t *testing.T) {
	for name, o := range map[string]outcome{
		"busy": refusedWith(-1), "too often": refusedWith(45011), "wrong secret": refusedWith(40125), "address": refusedWith(40164),
		"unknown": refusedWith(12345), "network": {failure: unavailable(nil)}, "timeout": {failure: timedOut(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *codeBook) {
				call, made := counted(o, token("a"))
				first, _ := b.exchange(t.Context(), "default", "code", "state", call)
				if first.failure == nil {
					t.Fatal("the first call did not fail")
				}
				// The state is free again too: the next login may bring another code with it.
				if out, _ := b.exchange(t.Context(), "default", "code 2", "state", call); out.body.AccessToken != "a" {
					t.Errorf("another code with the state: %s; want the token", reasonOf(out))
				}
				if out, shared := b.exchange(t.Context(), "default", "code", "", call); out.body.AccessToken != "a" || shared {
					t.Errorf("the code again: %s; want the token", reasonOf(out))
				}
				if made.Load() != 3 {
					t.Errorf("%d calls; want 3", made.Load())
				}
			})
		})
	}
}

func TestStateIsForOneCode(t *testing.T) {
	inBubble(t, func(t *testing.T, b *codeBook) {
		call, made := counted(token("a"))
		ask := func(code, state string) string {
			out, _ := b.exchange(t.Context(), "default", code, state, call)
			return reasonOf(out)
		}
		var running sync.WaitGroup
		running.Go(func() {
			if got := ask("code 1", "state"); got != "" {
				t.Errorf("the first code: %s; want the token", got)
			}
		})
		synctest.Wait()
		if got := ask("code 2", "state"); got != "STATE_USED" {
			t.Errorf("another code while the first is exchanged: %q; want STATE_USED", got)
		}
		running.Wait()
		for _, tt := range []struct{ when, code, state, want string }{
			{"another code afterwards", "code 2", "state", "STATE_USED"},
			{"the same again", "code 1", "state", ""},
			{"the other code with a state of its own", "code 2", "state 2", ""},
			{"no state", "code 3", "", ""},
			{"no state again", "code 4", "", ""},
			{"a refused code's state", "code 5", "state 2", "STATE_USED"},
		} {
			if got := ask(tt.code, tt.state); got != tt.want {
				t.Errorf("%s: %q; want %q", tt.when, got, tt.want)
			}
		}
		if made.Load() != 4 {
			t.Errorf("%d calls; want 4", made.Load())
		}
	})
}

// TestUsedStateStaysUsed: a code that was exchanged, and asked again after its outcome is gone, must not free its state.
func TestUsedStateStaysUsed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *codeBook) {
		call, _ := counted(token("a"), refusedWith(-1), token("b"))
		for _, want := range []string{"", "UPSTREAM_UNAVAILABLE"} {
			if out, _ := b.exchange(t.Context(), "default", "code", "state", call); reasonOf(out) != want {
				t.Fatalf("%q; want %q", reasonOf(out), want)
			}
			time.Sleep(6 * time.Minute)
		}
		if out, _ := b.exchange(t.Context(), "default", "code 2", "state", call); reasonOf(out) != "STATE_USED" {
			t.Errorf("another code: %q; want STATE_USED", reasonOf(out))
		}
	})
}

func TestCallerGoesCallStays(t *testing.T) {
	for name, tt := range map[string]struct {
		leave func(context.Context) (context.Context, context.CancelFunc)
		want  codes.Code
	}{
		"canceled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second/2, cancel)
			return ctx, cancel
		}, codes.Canceled},
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second/2)
		}, codes.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *codeBook) {
				call, made := counted(token("a"))
				var both sync.WaitGroup
				both.Go(func() {
					ctx, cancel := tt.leave(t.Context())
					defer cancel()
					if out, _ := b.exchange(ctx, "default", "code", "state", call); out.failure == nil || out.failure.code != tt.want {
						t.Errorf("who left: %+v; want %s", out, tt.want)
					}
				})
				synctest.Wait()
				both.Go(func() {
					if out, shared := b.exchange(t.Context(), "default", "code", "state", call); out.body.AccessToken != "a" || !shared {
						t.Errorf("who stayed: %s; want the token of the first one's call", reasonOf(out))
					}
				})
				both.Wait()
				if made.Load() != 1 {
					t.Errorf("%d calls; want 1", made.Load())
				}
			})
		})
	}
}

func TestAccountsAreApart(t *testing.T) {
	inBubble(t, func(t *testing.T, b *codeBook) {
		call, made := counted(token("a"), token("b"))
		for _, account := range []string{"one", "two"} {
			if out, shared := b.exchange(t.Context(), account, "code", "state", call); out.failure != nil || shared {
				t.Errorf("account %s: %q, shared %t; want a token of its own", account, reasonOf(out), shared)
			}
		}
		if made.Load() != 2 {
			t.Errorf("%d calls; want 2", made.Load())
		}
	})
}

func TestPanicInACall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *codeBook) {
		out, _ := b.exchange(t.Context(), "default", "code", "state", func(context.Context) outcome { panic("a secret") })
		if out.failure == nil || out.failure.code != codes.Internal {
			t.Errorf("outcome %+v; want a failure, Internal", out)
		}
	})
}

func TestCloseEndsWhatRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, b *codeBook) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := false
		go b.exchange(ctx, "default", "code", "", func(ctx context.Context) outcome {
			<-ctx.Done()
			ended = true
			return outcome{failure: canceled()}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		if ended {
			t.Error("the call ended with its caller")
		}
		b.close()
		if !ended {
			t.Error("the call outlived the book")
		}
	})
}

// TestExchangeOnceOverGRPC is TestManyCallersOneCall for the whole service.
func TestExchangeOnceOverGRPC(t *testing.T) {
	var asked atomic.Int32
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	good := says(sample(t, "sns.access_token.base.json"))
	f := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		arrived <- struct{}{}
		<-release
		good(w, r)
	})
	first, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- f.do(first, exchangeCall) }()
	<-arrived
	leave()
	expect(t, <-gone, codes.Canceled, "")
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			got, err := f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Code: testCode, State: testState})
			if err != nil || got.GetToken().GetOpenid() != testOpenID {
				t.Errorf("%v; want the token that the first caller asked for", err)
			}
		})
	}
	close(release)
	all.Wait()
	_, err := f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Code: "another", State: testState})
	expect(t, err, codes.PermissionDenied, "STATE_USED")
	if n := asked.Load(); n != 1 {
		t.Errorf("WeChat was asked %d times; want once", n)
	}
}
