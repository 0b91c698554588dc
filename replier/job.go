package replier

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/replier/rules"
)

// run is the work on one message.
type run struct {
	begun    time.Time
	attempts int // how often the message came; under once's lock
	done     chan struct{}

	waiting  atomic.Int32 // callers that wait for the end
	reported atomic.Bool  // the rules that failed are in log and metric

	takenOver bool // from the store, not begun by a call

	// Once done is closed:
	decision decision
	err      error // the rules panicked

	mu      sync.Mutex
	cancel  context.CancelFunc // ends the work; nil if that ended as it began
	slow    accounts.Slow      // what becomes of the answer if it is not ready; zero until a bot is asked
	patient time.Duration      // and how long after begun WeChat waits for it at most
	planned chan struct{}      // closed when these two change
	store   *storing           // nil while nobody needs the message stored
	over    bool               // nobody stores it any more
	way     way                // by which the user hears of it

	typing sync.Once   // the user sees that an answer is made
	held   atomic.Bool // an attempt was left without an answer: the user waits for one
	doubt  atomic.Bool // WeChat was left without an answer, and may have had one from others since

	steps atomic.Pointer[steps] // nil where nobody debugs
}

func newRun() *run {
	return &run{begun: time.Now(), planned: make(chan struct{}), done: make(chan struct{})}
}

// decided returns a run that ended as it began.
func decided(d decision, err error) *run {
	return &run{attempts: 1, done: past, over: true, decision: d, err: err}
}

// past is done of runs that nobody ever waits for.
var past = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// ended reports whether the answer is there.
func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// storing is an attempt to store the message.
type storing struct {
	done chan struct{}
	// Once done is closed:
	work *backlog.Work // nil where it failed
	err  error
}

func (r *run) setCancel(cancel context.CancelFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel = cancel
}

// abort ends the work: nobody will read what comes of it.
func (r *run) abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel()
	}
}

// setPlan notes that a bot is asked, and what becomes of its answer if that is not ready.
func (r *run) setPlan(slow accounts.Slow, patient time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow, r.patient = slow, patient
	close(r.planned)
	r.planned = make(chan struct{})
}

// plan returns what setPlan noted last; zero if no bot was asked.
func (r *run) plan() accounts.Slow {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slow
}

// wait waits for the end of the run while ctx lasts, and with by until that time at most: then the message has to be stored,
// if that is what becomes of it. It reports whether the run has ended.
func (r *run) wait(ctx context.Context, by *waitLimits) bool {
	for {
		planned, until := r.enough(by)
		var enough <-chan time.Time
		if !until.IsZero() {
			timer := time.NewTimer(time.Until(until))
			defer timer.Stop() // a bot more is a timer more: there are few
			enough = timer.C
		}
		select {
		case <-r.done:
			return true
		case <-planned:
		case <-enough:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// waitLimits are how long a caller waits who may be told that the answer is not ready. Zero times are no limits.
type waitLimits struct {
	store  time.Time // when the message has to be stored, if it is to be
	answer time.Time // when the caller has to be answered
}

// enough returns until when the caller waits, zero for no limit, and what is closed when that changes.
func (r *run) enough(by *waitLimits) (planned <-chan struct{}, until time.Time) {
	if by == nil {
		return nil, time.Time{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	until = by.store
	if r.slow.How == accounts.Hold || r.slow.How == accounts.Drop {
		until = by.answer
	}
	if patience := r.begun.Add(r.patient); r.slow.How != "" && r.slow.How != accounts.Hold && r.patient < rules.MaxTimeout &&
		(until.IsZero() || patience.Before(until)) {
		until = patience
	}
	return r.planned, until
}

// stored begins to store the message, where that is not done or under way, and returns how it goes; nil where the run has
// ended and the message is not stored: then the answer is there.
func (r *run) stored(begin func() (*backlog.Work, error)) *storing {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.store != nil && !r.store.failed() {
		return r.store
	}
	if r.over {
		return nil
	}
	s := &storing{done: make(chan struct{})}
	r.store = s
	go func() {
		defer close(s.done)
		s.work, s.err = begin()
	}()
	return s
}

// failed reports whether the message is not stored, and nothing goes on to store it.
func (s *storing) failed() bool {
	select {
	case <-s.done:
		return s.err != nil && !errors.Is(s.err, backlog.ErrTaken)
	default:
		return false
	}
}

// deferred returns what stores the message; nil where nothing does.
func (r *run) deferred() *storing {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.store == nil || r.store.failed() {
		return nil
	}
	return r.store
}

// finish sees to it that nobody begins to store the message any more, and returns how it was or is stored; nil: not.
func (r *run) finish() *storing {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	return r.store
}

// way is how the user hears of an answer: there is one way only.
type way int

const (
	open    way = iota // not decided
	inTime             // WeChat, which waits, gets it
	follows            // it is sent, or kept
	never              // the user was told that there is none
)

// goes decides the way, where that is still open, and reports whether it is this one.
func (r *run) goes(w way) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.way == open {
		r.way = w
	}
	return r.way == w
}

// isGivenUp reports whether the user was told that there is no answer.
func (r *run) isGivenUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.way == never
}

// adopt gives the run a message that is stored already; false where the run has ended.
func (r *run) adopt(w *backlog.Work) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	r.store = &storing{done: make(chan struct{}), work: w}
	close(r.store.done)
	r.doubt.Store(true) // another attempt may be answered while this one is worked on
	return true
}
