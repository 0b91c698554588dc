package replier

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/backlog"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// runLife is how long rules may work on a message: a bot has its longest time, and the next rule a moment.
const runLife = rules.MaxTimeout + 5*time.Second

// once sees to it that a message is answered once, however often it comes: who comes while it is worked on waits for
// the answer, and who comes later gets it again.
type once struct {
	ctx  context.Context // ends with the process
	stop context.CancelFunc
	all  sync.WaitGroup

	// One lock for both: between a look at what is kept and the start of a run no other run may end.
	mu      sync.Mutex
	running map[fingerprint]*run
	kept    kept
}

// decider does the work of a run. Where r is nil it must not wait: it decides at once, or asks.
type decider func(ctx context.Context, r *run) decision

// newOnce keeps answers in about so many bytes of memory.
func newOnce(memory int) *once {
	ctx, stop := context.WithCancel(context.Background())
	return &once{ctx: ctx, stop: stop, running: map[fingerprint]*run{}, kept: newKept(memory, time.Now())}
}

// close ends what runs, and waits for it.
func (o *once) close() {
	o.stop()
	o.all.Wait()
}

// join returns the run of a message, begun where there is none, and how often it was asked for. It has ended where
// nothing has to be waited for. then is called at its end, and must not wait. The caller counts among the run's waiting until
// it takes that back: a run that ends at once has somebody to report to.
func (o *once) join(ctx context.Context, msg *wechatv1.Message, decide decider, then func(*run)) (r *run, attempt int) {
	key, ok := fingerprintOf(msg)
	// What another replier hands on is asked once by that one, and where they forward in a circle would wait for itself.
	if !ok || handedOn(ctx) > 0 {
		r = newRun()
		r.waiting.Add(1)
		o.start(ctx, nil, r, decide, then)
		return r, 1
	}
	if r, attempt = o.again(key); r != nil {
		r.waiting.Add(1)
		return r, attempt
	}
	// Nothing ends it half-way, so that what is kept does not depend on who came first.
	d, err := guarded(context.WithoutCancel(ctx), nil, decide)
	r, attempt, begins := o.first(key, d, err)
	r.waiting.Add(1)
	if begins {
		o.start(ctx, &key, r, decide, then)
	}
	return r, attempt
}

// again returns the run of a message that is there, and how often it was asked for; nil where there is none.
func (o *once) again(key fingerprint) (*run, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.find(key)
}

// first returns the run of a message for which there was none a moment ago, and how often it was asked for: one that has
// ended with d, or where d asks one that the caller begins; or that of another, who was faster.
func (o *once) first(key fingerprint, d decision, err error) (r *run, attempt int, begins bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, attempt = o.find(key); r != nil {
		return r, attempt, false
	}
	if d.Asks {
		r = newRun()
		r.attempts = 1
		o.running[key] = r
	} else {
		r = decided(d, err)
		o.kept.put(key, r, time.Now())
	}
	return r, 1, d.Asks
}

// find is again, under the lock.
func (o *once) find(key fingerprint) (r *run, attempt int) {
	if r, attempt = o.kept.find(key, time.Now(), 1); r != nil {
		return r, attempt
	}
	if r = o.running[key]; r == nil {
		return nil, 0
	}
	r.attempts++
	return r, r.attempts
}

// adopt returns the run of a message that was stored, begun where none is under way; begun is false where the run's own
// end looks after the message.
func (o *once) adopt(ctx context.Context, msg *wechatv1.Message, work *backlog.Work, decide decider, then func(*run)) (r *run, begun bool) {
	key, _ := fingerprintOf(msg)
	o.mu.Lock()
	defer o.mu.Unlock()
	if r = o.running[key]; r != nil && r.adopt(work) {
		return r, false
	}
	if r, _ := o.kept.find(key, time.Now(), 0); r != nil && r.decision.Reply != nil { // it ended when nobody waited any more
		return r, true
	}
	r = newRun()
	r.takenOver = true
	r.adopt(work)
	o.running[key] = r
	o.start(ctx, &key, r, decide, then)
	return r, true
}

// start runs decide. Where a key is given the run outlives ctx, and is kept.
func (o *once) start(ctx context.Context, key *fingerprint, r *run, decide decider, then func(*run)) {
	if key != nil {
		ctx = service.Detach(ctx) // a run may last long, and the request is large
	}
	own, cancel := withRunningTime(ctx, runLife)
	r.setCancel(cancel)
	o.all.Go(func() {
		defer cancel()
		defer context.AfterFunc(o.ctx, cancel)()
		d, err := guarded(own, r, decide)
		o.end(key, r, d, err)
		then(r)
	})
}

func (o *once) end(key *fingerprint, r *run, d decision, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.decision, r.err = d, err
	if key != nil {
		delete(o.running, *key)
		o.kept.put(*key, r, time.Now())
	}
	close(r.done)
}

// guarded turns a panic into an error: in this goroutine it would end the process.
func guarded(ctx context.Context, r *run, decide decider) (d decision, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &service.RPCError{Code: codes.Internal, Message: "internal error", Cause: service.PanicError(p)}
		}
	}()
	return decide(ctx, r), nil
}
