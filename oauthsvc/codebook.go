package oauthsvc

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

const (
	// keepOutcome is as long as a code is good for (platform.md E.1).
	keepOutcome = 5 * time.Minute
	// keepState is longer than a login takes.
	keepState = time.Hour
	// maxKept bounds the memory: so many outcomes, and so many states, are kept at most.
	maxKept = 100_000
)

// key stands for a code or a state of an account, which are not kept themselves.
type key [sha256.Size]byte

func keyOf(account, value string) key { return sha256.Sum256([]byte(account + "\x00" + value)) }

// codeBook sees to it that a code is exchanged once, and that a state is good for one code.
type codeBook struct {
	ctx  context.Context // ends with the book
	stop context.CancelFunc
	all  sync.WaitGroup // running exchanges

	// One lock for all of it: between a look at a state, a look at what ended and the start of an exchange no other
	// exchange may end, or a code would be exchanged twice. A singleflight.Group has no place for the states.
	mu      sync.Mutex
	running map[key]*exchange
	ended   *otter.Cache[key, *exchange]
	states  *otter.Cache[key, key] // of each state, its code
}

// exchange is that of one code.
type exchange struct {
	done    chan struct{}
	outcome outcome // once done is closed
	states  []key   // bound by those who wait for it
}

func newCodeBook() *codeBook {
	ctx, stop := context.WithCancel(context.Background())
	return &codeBook{ctx: ctx, stop: stop, running: map[key]*exchange{},
		ended:  otter.Must(&otter.Options[key, *exchange]{MaximumSize: maxKept, ExpiryCalculator: otter.ExpiryWriting[key, *exchange](keepOutcome)}),
		states: otter.Must(&otter.Options[key, key]{MaximumSize: maxKept, ExpiryCalculator: otter.ExpiryWriting[key, key](keepState)}),
	}
}

// close ends what runs and waits for it.
func (b *codeBook) close() {
	b.stop()
	b.all.Wait()
	b.ended.StopAllGoroutines()
	b.states.StopAllGoroutines()
}

// exchange returns the outcome of call for the code: callers at the same time share one call, and later ones get what
// it brought; shared is true for all but the one who made it. The state, unless it is "", is bound to the code. Where
// ctx ends the caller stops waiting, and the call goes on: the code is spent by then.
func (b *codeBook) exchange(ctx context.Context, account, code, state string, call func(context.Context) outcome) (out outcome, shared bool) {
	x, shared := b.join(ctx, account, code, state, call)
	if x == nil {
		return outcome{failure: stateUsed()}, false
	}
	select {
	case <-x.done:
		return x.outcome, shared
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return outcome{failure: canceled()}, shared
	}
	return outcome{failure: timedOut(ctx.Err())}, shared
}

// join returns the code's exchange, and starts it where there is none; nil where the state is another code's.
func (b *codeBook) join(ctx context.Context, account, code, state string, call func(context.Context) outcome) (x *exchange, shared bool) {
	codeKey, stateKey := keyOf(account, code), keyOf(account, state)
	b.mu.Lock()
	defer b.mu.Unlock()
	bound := false
	if state != "" {
		var owner key
		if owner, bound = b.states.SetIfAbsent(stateKey, codeKey); owner != codeKey {
			return nil, false
		}
	}
	if x, ok := b.ended.GetIfPresent(codeKey); ok {
		return x, true
	}
	x, shared = b.running[codeKey]
	if !shared {
		x = &exchange{done: make(chan struct{})}
		b.running[codeKey] = x
		b.all.Go(func() { b.run(context.WithoutCancel(ctx), codeKey, x, call) })
	}
	if bound {
		x.states = append(x.states, stateKey)
	}
	return x, shared
}

// run makes the call. A code that may still be good is forgotten, and so are its states.
func (b *codeBook) run(ctx context.Context, code key, x *exchange, call func(context.Context) outcome) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	x.outcome = guard(ctx, call)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, code)
	if f := x.outcome.failure; f == nil || f.aboutCode() {
		b.ended.Set(code, x)
	} else {
		for _, state := range x.states {
			b.states.Invalidate(state)
		}
	}
	close(x.done)
}

// guard turns a panic into a failure: in this goroutine it would end the process.
func guard(ctx context.Context, call func(context.Context) outcome) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			out = outcome{failure: &failure{code: codes.Internal, message: "internal error", cause: service.PanicError(p)}}
		}
	}()
	return call(ctx)
}

func stateUsed() *failure {
	return &failure{code: codes.PermissionDenied, reason: oauthv1.ErrorReason_ERROR_REASON_STATE_USED,
		message: "state: it brought another code before; send the user to log in again"}
}
