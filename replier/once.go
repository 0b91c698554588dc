package replier

import (
	"context"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// keepAnswer is far longer than WeChat goes on sending a message again: 3 times, 5 s apart.
	keepAnswer = time.Minute
	// runLife is how long rules may work on a message: the last of WeChat's attempts ends about then.
	runLife = 14 * time.Second
	// entrySize is about what an answer costs in memory besides its reply, in bytes.
	entrySize = 512
)

// messageKey is what WeChat's attempts to send one message have in common (platform.md D).
type messageKey struct {
	account, to, from string
	msgID, createTime int64
	event, eventKey   string
}

// keyOf returns the key of a message; ok is false where WeChat did not send it, so that nobody sends it again.
func keyOf(msg *wechatv1.Message) (key messageKey, ok bool) {
	key = messageKey{account: msg.GetAccount(), to: msg.GetToUserName(), from: msg.GetFromUserName(), msgID: msg.GetMsgId()}
	if key.msgID != 0 {
		return key, true
	}
	e := msg.GetEvent()
	key.createTime, key.event, key.eventKey = msg.GetCreateTime(), e.GetEvent(), e.GetEventKey()
	return key, e != nil && key.createTime != 0
}

// once sees to it that a message is answered once, however often it comes: who comes while it is worked on waits for
// the answer, and who comes later gets it again.
type once struct {
	ctx  context.Context // ends with the process
	stop context.CancelFunc
	all  sync.WaitGroup

	// One lock for both: between a look at what is kept and the start of a run no other run may end.
	mu      sync.Mutex
	running map[messageKey]*run
	kept    *otter.Cache[messageKey, *run]
}

// run is the work on one message.
type run struct {
	done     chan struct{}
	begun    time.Time
	attempts int // how often the message came; under once's lock

	// Once done is closed:
	decision decision
	err      error // the rules panicked
}

// newOnce keeps answers in about so many bytes of memory.
func newOnce(memory int) *once {
	ctx, stop := context.WithCancel(context.Background())
	return &once{ctx: ctx, stop: stop, running: map[messageKey]*run{}, kept: otter.Must(&otter.Options[messageKey, *run]{
		MaximumWeight:    uint64(memory),
		ExpiryCalculator: otter.ExpiryWriting[messageKey, *run](keepAnswer),
		Weigher: func(_ messageKey, r *run) uint32 {
			return uint32(entrySize + proto.Size(r.decision.reply))
		},
	})}
}

// close ends what runs, and waits for it.
func (o *once) close() {
	o.stop()
	o.all.Wait()
	o.kept.StopAllGoroutines()
}

// decide returns what decide says about a message; attempt is how often that was asked. The work goes on when ctx ends
// before it: the error is ctx's then.
func (o *once) decide(ctx context.Context, msg *wechatv1.Message, decide func(context.Context) decision) (d decision, attempt int, err error) {
	key, ok := keyOf(msg)
	// What another replier hands on is asked once by that one, and where they forward in a circle would wait for itself.
	if !ok || handedOn(ctx) > 0 {
		return decide(ctx), 1, nil
	}
	r, attempt := o.join(ctx, key, decide)
	select {
	case <-r.done:
		return r.decision, attempt, r.err
	case <-ctx.Done():
		return decision{}, attempt, ctx.Err()
	}
}

func (o *once) join(ctx context.Context, key messageKey, decide func(context.Context) decision) (r *run, attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.kept.GetIfPresent(key)
	if !ok {
		r = o.running[key]
	}
	if r == nil {
		r = &run{done: make(chan struct{}), begun: time.Now()}
		o.running[key] = r
		o.start(ctx, key, r, decide)
	}
	r.attempts++
	return r, r.attempts
}

func (o *once) start(ctx context.Context, key messageKey, r *run, decide func(context.Context) decision) {
	o.all.Go(func() {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), runLife)
		defer cancel()
		defer context.AfterFunc(o.ctx, cancel)()
		r.decision, r.err = guarded(own, decide)
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.running, key)
		o.kept.Set(key, r)
		close(r.done)
	})
}

// guarded turns a panic into an error: in this goroutine it would end the process.
func guarded(ctx context.Context, decide func(context.Context) decision) (d decision, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = service.NewError(codes.Internal, "", "internal error", nil, service.PanicError(p))
		}
	}()
	return decide(ctx), nil
}
