package replier

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
)

// run is the work on one message.
type run struct {
	begun    time.Time
	attempts int           // how often the message came; under once's lock
	asked    chan struct{} // closed when a bot is asked: before, the answer is a matter of microseconds
	done     chan struct{}

	// Once done is closed:
	decision decision
	err      error // the rules panicked

	mu      sync.Mutex
	slow    accounts.Slow // once asked is closed: what becomes of the answer if it is not ready
	patient time.Duration // and how long after begun WeChat waits for it at most
	store   *storing      // nil while nobody needs the message stored
	over    bool          // nobody stores it any more
	way     way           // by which the user hears of it

	typing sync.Once   // the user sees that an answer is made
	doubt  atomic.Bool // WeChat was left without an answer, and may have had one from others since

	steps atomic.Pointer[steps] // nil where nobody debugs
}

func newRun() *run {
	return &run{begun: time.Now(), asked: make(chan struct{}), done: make(chan struct{})}
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

// ended tells whether the answer is there.
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

// plan notes that a bot is asked, and what becomes of an answer that is not ready.
func (r *run) plan(slow accounts.Slow, patient time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow, r.patient = slow, patient
	select {
	case <-r.asked:
	default:
		close(r.asked)
	}
}

// planned returns what plan noted last; zero where no bot was asked.
func (r *run) planned() (accounts.Slow, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slow, r.patient
}

// wait waits for the end of the run while ctx lasts, and where early is true no longer than WeChat should wait; it is
// false where the run goes on.
func (r *run) wait(ctx context.Context, early bool) bool {
	asked := r.asked
	if !early {
		asked = nil
	}
	var enough <-chan time.Time
	for {
		select {
		case <-r.done:
			return true
		case <-asked:
			asked = nil
			slow, patient := r.planned()
			if slow.How != accounts.Hold && patient < maxTimeout {
				timer := time.NewTimer(time.Until(r.begun.Add(patient)))
				defer timer.Stop()
				enough = timer.C
			}
		case <-enough:
			return false
		case <-ctx.Done():
			return false
		}
	}
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

// failed tells whether the message is not stored, and nothing goes on to store it.
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

// goes decides the way, where that is still open, and tells whether it is this one.
func (r *run) goes(w way) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.way == open {
		r.way = w
	}
	return r.way == w
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
