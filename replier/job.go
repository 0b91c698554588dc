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

// job is the work on one message, for all attempts to send it.
type job struct {
	begun    time.Time
	attempts int // how often the message came; guarded by dedupe's lock
	done     chan struct{}

	waiters  atomic.Int32 // callers that wait for the end
	reported atomic.Bool  // the rules that failed are logged and counted

	takenOver bool // from the store, not begun by a call

	// Once done is closed:
	decision decision
	err      error // the rules panicked

	mu            sync.Mutex
	cancel        context.CancelFunc // ends the work; nil if that ended as it began
	policy        accounts.Slow      // for an answer that is not ready; zero until a bot is asked
	patience      time.Duration      // how long after begun WeChat waits for it at most
	policyChanged chan struct{}      // closed when policy and patience change
	storing       *storeAttempt      // nil while the message need not be stored
	isClosed      bool               // the message is not stored any more
	route         route

	typingOnce        sync.Once   // shows the user that an answer is made
	wasHeld           atomic.Bool // an attempt was left without an answer: the user waits for one
	answeredElsewhere atomic.Bool // another process may have answered an attempt that this one left without an answer

	steps atomic.Pointer[traceSteps] // nil unless a caller debugs
}

func newJob() *job {
	return &job{begun: time.Now(), policyChanged: make(chan struct{}), done: make(chan struct{})}
}

// newEndedJob returns a job that ended as it began.
func newEndedJob(d decision, err error) *job {
	return &job{attempts: 1, done: alreadyClosed, isClosed: true, decision: d, err: err}
}

// alreadyClosed is done of jobs that nothing ever waits for.
var alreadyClosed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// hasEnded reports whether the answer is ready.
func (j *job) hasEnded() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

func (j *job) setCancel(cancel context.CancelFunc) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cancel = cancel
}

// abortWork ends the work: its answer will not be read.
func (j *job) abortWork() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cancel != nil {
		j.cancel()
	}
}

// setPolicy notes that a bot is asked, with the policy for its answer if that is not ready.
func (j *job) setPolicy(policy accounts.Slow, patience time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.policy, j.patience = policy, patience
	close(j.policyChanged)
	j.policyChanged = make(chan struct{})
}

// currentPolicy returns the last policy of setPolicy; zero if no bot was asked.
func (j *job) currentPolicy() accounts.Slow {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.policy
}

// awaitEnd waits for the end of the job while ctx lasts, and with limits until the caller has to be answered, or the message
// stored if that is the policy. It reports whether the job has ended.
func (j *job) awaitEnd(ctx context.Context, limits *waitLimits) bool {
	for {
		changed, until := j.waitUntil(limits)
		var expired <-chan time.Time
		if !until.IsZero() {
			timer := time.NewTimer(time.Until(until))
			defer timer.Stop() // each bot adds a timer: there are few
			expired = timer.C
		}
		select {
		case <-j.done:
			return true
		case <-changed:
		case <-expired:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// waitLimits is how long a caller waits that may be told that the answer is not ready. Zero times are no limits.
type waitLimits struct {
	store  time.Time // when storing the message has to begin, if the policy is to store it
	answer time.Time // when the caller has to be answered
}

// waitUntil returns until when a caller waits, zero for no limit. changed is closed when that may be different.
func (j *job) waitUntil(limits *waitLimits) (changed <-chan struct{}, until time.Time) {
	if limits == nil {
		return nil, time.Time{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	until = limits.store
	if j.policy.How == accounts.Hold || j.policy.How == accounts.Drop {
		until = limits.answer
	}
	if patience := j.begun.Add(j.patience); j.policy.How != "" && j.policy.How != accounts.Hold && j.patience < rules.MaxTimeout &&
		(until.IsZero() || patience.Before(until)) {
		until = patience
	}
	return j.policyChanged, until
}

// storeAttempt is an attempt to store the message.
type storeAttempt struct {
	done chan struct{}
	// Once done is closed:
	work *backlog.Work // nil if it failed
	err  error
}

// hasFailed reports whether the attempt has ended and the message is not stored.
func (s *storeAttempt) hasFailed() bool {
	select {
	case <-s.done:
		return s.err != nil && !errors.Is(s.err, backlog.ErrTaken)
	default:
		return false
	}
}

// startStoring begins to store the message by calling store in a goroutine, unless it is stored or being stored, and returns the
// attempt. It returns nil if the job has ended without that: then the answer is ready.
func (j *job) startStoring(store func() (*backlog.Work, error)) *storeAttempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.storing != nil && !j.storing.hasFailed() {
		return j.storing
	}
	if j.isClosed {
		return nil
	}
	s := &storeAttempt{done: make(chan struct{})}
	j.storing = s
	go func() {
		defer close(s.done)
		s.work, s.err = store()
	}()
	return s
}

// currentStoring returns the attempt that stores or has stored the message; nil if there is none.
func (j *job) currentStoring() *storeAttempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.storing == nil || j.storing.hasFailed() {
		return nil
	}
	return j.storing
}

// closeStoring makes startStoring begin no more, and returns the last attempt; nil if there was none.
func (j *job) closeStoring() *storeAttempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.isClosed = true
	return j.storing
}

// adoptStored gives the job a message that is stored already. It reports false if the job has ended.
func (j *job) adoptStored(w *backlog.Work) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.isClosed {
		return false
	}
	j.storing = &storeAttempt{done: make(chan struct{}), work: w}
	close(j.storing.done)
	j.answeredElsewhere.Store(true) // another attempt may be answered while this one is worked on
	return true
}

// route is how the user receives the answer. There is one only: see claimRoute.
type route int

const (
	routeOpen    route = iota // not decided
	routeInTime               // WeChat waits, and gets it
	routeFollows              // it is sent or kept
	routeNever                // the user was told that there is none
)

// claimRoute sets the route if none is set yet, and reports whether the route is now want.
func (j *job) claimRoute(want route) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.route == routeOpen {
		j.route = want
	}
	return j.route == want
}

// hasRoute reports whether r is the route that was claimed.
func (j *job) hasRoute(r route) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.route == r
}
