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

// jobLife is how long rules may work on a message: the longest time of a bot, and a moment for the next rule.
const jobLife = rules.MaxTimeout + 5*time.Second

// dedupe answers a message once, however often it comes: attempts that come while it is worked on join the job, later ones get
// the same answer. It is safe for concurrent use.
type dedupe struct {
	ctx        context.Context // ends with the process
	stop       context.CancelFunc
	goroutines sync.WaitGroup

	// One lock for both: a job must not end between a look at the answers and the start of another job.
	mu      sync.Mutex
	running map[fingerprint]*job
	answers answerCache
}

// newDedupe keeps answers in about memory bytes.
func newDedupe(memory int) *dedupe {
	ctx, stop := context.WithCancel(context.Background())
	return &dedupe{ctx: ctx, stop: stop, running: map[fingerprint]*job{}, answers: newAnswerCache(memory, time.Now())}
}

// endJobs ends all jobs, and waits for them.
func (o *dedupe) endJobs() {
	o.stop()
	o.goroutines.Wait()
}

// joinJob returns the job of a message, and the number of this attempt, from 1. It begins a job if there is none; one that needs
// no bot has ended then. then is called at the end of a job that was begun, and must not wait. The caller counts among the
// job's waiters until it takes that back, so that a job that ends at once has a caller to report to.
func (o *dedupe) joinJob(ctx context.Context, msg *wechatv1.Message, decide decideFunc, then func(*job)) (j *job, attempt int) {
	key, ok := fingerprintOf(msg)
	// A message that another replier hands on has a job there. If repliers forward in a circle, a job here would wait for itself.
	if !ok || handedOn(ctx) > 0 {
		j = newJob()
		j.waiters.Add(1)
		o.startJob(ctx, nil, j, decide, then)
		return j, 1
	}
	if j, attempt = o.countAttempt(key); j != nil {
		j.waiters.Add(1)
		return j, attempt
	}
	// The caller's end does not end this, so that the kept answer does not depend on which attempt came first.
	d, err := decideGuarded(context.WithoutCancel(ctx), nil, decide)
	j, attempt, begins := o.claimFirst(key, d, err)
	j.waiters.Add(1)
	if begins {
		o.startJob(ctx, &key, j, decide, then)
	}
	return j, attempt
}

// countAttempt counts an attempt to send a message, and returns its job and the attempt's number; nil if there is no job.
func (o *dedupe) countAttempt(key fingerprint) (*job, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.countLocked(key)
}

// claimFirst returns the job of a message that had none a moment ago, and the number of this attempt: a job that has ended with
// d, or if d asks a bot, one that the caller has to start. If another attempt was faster, it is that one's.
func (o *dedupe) claimFirst(key fingerprint, d decision, err error) (j *job, attempt int, begins bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if j, attempt = o.countLocked(key); j != nil {
		return j, attempt, false
	}
	if d.Asks {
		j = newJob()
		j.attempts = 1
		o.running[key] = j
	} else {
		j = newEndedJob(d, err)
		o.answers.keepJob(key, j, time.Now())
	}
	return j, 1, d.Asks
}

// countLocked is countAttempt for a caller that holds mu.
func (o *dedupe) countLocked(key fingerprint) (j *job, attempt int) {
	if j, attempt = o.answers.addAttempts(key, time.Now(), 1); j != nil {
		return j, attempt
	}
	if j = o.running[key]; j == nil {
		return nil, 0
	}
	j.attempts++
	return j, j.attempts
}

// adoptStored returns the job of a stored message; it starts one if none is running. begun is false if a running job took the
// message, and delivers its answer.
func (o *dedupe) adoptStored(ctx context.Context, msg *wechatv1.Message, work *backlog.Work, decide decideFunc, then func(*job)) (j *job, begun bool) {
	key, _ := fingerprintOf(msg)
	o.mu.Lock()
	defer o.mu.Unlock()
	if j = o.running[key]; j != nil && j.adoptStored(work) {
		return j, false
	}
	if j, _ := o.answers.addAttempts(key, time.Now(), 0); j != nil && j.decision.Reply != nil { // it ended when no caller waited any more
		return j, true
	}
	j = newJob()
	j.takenOver = true
	j.adoptStored(work)
	o.running[key] = j
	o.startJob(ctx, &key, j, decide, then)
	return j, true
}

// startJob decides in a goroutine. A job with a key outlives ctx, and its answer is kept.
func (o *dedupe) startJob(ctx context.Context, key *fingerprint, j *job, decide decideFunc, then func(*job)) {
	if key != nil {
		ctx = service.DetachContext(ctx) // a job may last long, and the request is large
	}
	own, cancel := withRunningTime(ctx, jobLife)
	j.setCancel(cancel)
	o.goroutines.Go(func() {
		defer cancel()
		defer context.AfterFunc(o.ctx, cancel)()
		d, err := decideGuarded(own, j, decide)
		o.endJob(key, j, d, err)
		then(j)
	})
}

// endJob notes the decision of a job.
func (o *dedupe) endJob(key *fingerprint, j *job, d decision, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	j.decision, j.err = d, err
	if key != nil {
		delete(o.running, *key)
		o.answers.keepJob(*key, j, time.Now())
	}
	close(j.done)
}

// decideGuarded turns a panic into an error: in a job's goroutine it would end the process.
func decideGuarded(ctx context.Context, j *job, decide decideFunc) (decision, error) {
	d, err := service.CatchPanic(func() (decision, error) { return decide(ctx, j), nil })
	if err == nil {
		return d, nil
	}
	failure := newError(codes.Internal, reasonRulesFailed, "internal error")
	failure.Cause = err
	return decision{}, failure
}
