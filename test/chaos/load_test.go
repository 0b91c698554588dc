package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
)

// WeChat's ways (platform page "消息推送"): how long it waits for an answer, and how often it sends a message.
const (
	wechatPatience = 5 * time.Second
	wechatAttempts = 3
)

// maxReconnects is how often the load balancer before the gateways turns to another one in one attempt.
const maxReconnects = 4

// load is WeChat and the load balancer between it and the gateways: users write at a steady rate, whatever comes back.
type load struct {
	rate     float64 // messages a second
	senders  []*sender.Sender
	next     atomic.Uint64 // gateway
	client   *http.Client
	slow     float64 // share of messages that a bot takes 5 to 9 s for
	large    float64 // share of these whose answer is too large
	long     float64 // share of these for which the bot takes longTime
	double   float64 // share of messages that come again at once or within 2 s
	inFlight sync.WaitGroup

	mu       sync.Mutex
	messages []*message
	strays   []string // customer-service messages that answer nothing

	duplicates, reconnects atomic.Int64
	behind                 atomic.Int64 // the most that this machine was behind its clock, in ns
}

// newLoad returns a load that has no gateways yet.
func newLoad(rate float64) *load {
	return &load{rate: rate, slow: 0.03, large: 0.1, double: 0.01, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute, DisableCompression: true},
	}}
}

// use sends to these gateways.
func (l *load) use(gateways []gatewayNode) {
	for _, g := range gateways {
		g.sender.Client = l.client
		l.senders = append(l.senders, g.sender)
	}
}

// run sends until enough says so, and returns when WeChat is done with all that was sent. Its error is a mistake here.
func (l *load) run(ctx context.Context, rng *rand.Rand, enough func(sent int) bool) error {
	defer l.inFlight.Wait()
	began := time.Now()
	for i := 0; !enough(i); i++ {
		due := began.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		} else if -wait > time.Duration(l.behind.Load()) {
			l.behind.Store(int64(-wait))
		}
		m, callback, err := newMessage(i, l.randomWork(rng))
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.messages = append(l.messages, m)
		l.mu.Unlock()
		l.send(ctx, m, callback, rng)
	}
	return nil
}

// longTime is how many seconds a bot takes that uses nearly all of its minute.
const longTime = 55

// smallest and largest are the sizes in kB of answers that fit into a gRPC message, and cannot be sent.
const smallest, largest = 65, 3000

// randomWork returns what a message has a bot do.
func (l *load) randomWork(rng *rand.Rand) botWork {
	if rng.Float64() >= l.slow {
		return botWork{}
	}
	work := botWork{seconds: 5 + 4*rng.Float64()}
	switch share := rng.Float64(); {
	case share < l.large:
		work.kilobytes = smallest + rng.IntN(largest-smallest)
	case share < l.large+l.long:
		work.seconds = longTime
	}
	return work
}

// send has WeChat send a message in the background, and sometimes twice.
func (l *load) send(ctx context.Context, m *message, callback []byte, rng *rand.Rand) {
	l.inFlight.Go(func() { l.deliver(ctx, m, callback) })
	if rng.Float64() >= l.double {
		return
	}
	var pause time.Duration
	if rng.IntN(2) == 0 {
		pause = time.Second + time.Duration(rng.IntN(1000))*time.Millisecond
	}
	l.duplicates.Add(1)
	m.doubled()
	l.inFlight.Go(func() {
		time.Sleep(pause)
		if r := l.attempt(ctx, callback); r != nil {
			m.answered(r)
		}
	})
}

// deliver sends a message as often as WeChat does.
func (l *load) deliver(ctx context.Context, m *message, callback []byte) {
	for unanswered := range wechatAttempts {
		if r := l.attempt(ctx, callback); r != nil {
			m.answered(r)
			m.afterHeld(unanswered)
			return
		}
	}
	m.unanswered()
}

// attempt is one attempt of WeChat's; nil without an answer in its time. Where a gateway breaks the connection or is not
// there, the load balancer turns to the next.
func (l *load) attempt(ctx context.Context, callback []byte) *sender.Result {
	ctx, cancel := context.WithTimeout(ctx, wechatPatience)
	defer cancel()
	at := l.next.Add(1)
	for range 1 + maxReconnects {
		r, err := l.senders[at%uint64(len(l.senders))].Send(ctx, callback)
		switch {
		case err == nil:
			return r
		case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
			return nil
		}
		l.reconnects.Add(1)
		at++
	}
	return nil
}

// onSent takes the customer-service messages that reach a user.
func (l *load) onSent(sent fakewechat.CustomMessage) {
	content := ""
	for _, f := range sent.Fields {
		if f.Name == "content" {
			content = f.Value
		}
	}
	number, ok := numberIn(content)
	l.mu.Lock()
	defer l.mu.Unlock()
	if content == busyText {
		number, ok = l.unanswerable(sent.To)
	}
	if !ok || number >= len(l.messages) || l.messages[number].openid != sent.To {
		l.strays = append(l.strays, content)
		return
	}
	l.messages[number].pushed(content)
}

// unanswerable returns the first message of a user whose answer is too large, and that has none yet. The caller holds mu.
func (l *load) unanswerable(openid string) (number int, ok bool) {
	for number = range l.messages {
		if m := l.messages[number]; m.openid == openid && m.work.kilobytes > 0 && !m.done() {
			return number, true
		}
	}
	return 0, false
}

// all returns what was sent so far.
func (l *load) all() []*message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.messages)
}

// open returns the messages whose users have no answer yet.
func (l *load) open() (open []*message) {
	for _, m := range l.all() {
		if !m.done() {
			open = append(open, m)
		}
	}
	return open
}
