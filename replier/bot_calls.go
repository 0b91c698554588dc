package replier

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// callSize is about how many bytes a call of a bot takes in memory, besides its message.
	callSize = 48 << 10
	// messageCopies is how often the message is in memory meanwhile.
	messageCopies = 3
	// fairShare bounds an account's share to this many times the free room: a single account gets four fifths of all, and a
	// second one finds room at once.
	fairShare = 4
)

// errTooManyCalls is the error of a message that finds no room among those that wait for bots.
var errTooManyCalls = errors.New("too many messages wait for bots")

// botCalls bounds the memory of messages that wait for bots, by account and in all. It is safe for concurrent use.
type botCalls struct {
	maxBytes int

	mu        sync.Mutex
	underWay  int // calls
	used      int // in bytes
	byAccount map[string]int
}

func newBotCalls(metrics prometheus.Registerer, maxBytes int) *botCalls {
	c := &botCalls{maxBytes: maxBytes, byAccount: map[string]int{}}
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_bot_calls", Help: "Messages that wait for bots.",
	}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(c.underWay)
	}))
	return c
}

// reserveRoom reserves room for a message that waits for a bot, until release is called. The error is errTooManyCalls. A message
// that was taken over always finds room: takeoverCounts bounds those.
func (c *botCalls) reserveRoom(msg *wechatv1.Message, takenOver bool) (release func(), err error) {
	account, size := msg.GetAccount(), callSize+messageCopies*proto.Size(msg)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !takenOver && (c.used+size > c.maxBytes || c.byAccount[account]+size > fairShare*(c.maxBytes-c.used)) {
		return nil, errTooManyCalls
	}
	c.addUsage(account, 1, size)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.addUsage(account, -1, -size)
	}, nil
}

// isFull reports whether there is no room left.
func (c *botCalls) isFull() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used >= c.maxBytes
}

// addUsage changes the numbers in use. The caller holds mu.
func (c *botCalls) addUsage(account string, under, size int) {
	c.underWay += under
	c.used += size
	if c.byAccount[account] += size; c.byAccount[account] == 0 {
		delete(c.byAccount, account)
	}
}

// maxTakeovers is how many messages of an account that were taken over may wait for bots at a time, so that bots that come back
// are not overrun.
const maxTakeovers = 256

// takeoverCounts counts messages that were taken over and wait for bots, by account. It is safe for concurrent use.
type takeoverCounts struct {
	calls *botCalls

	mu        sync.Mutex
	byAccount map[string]int
}

func newTakeoverCounts(c *botCalls) *takeoverCounts {
	return &takeoverCounts{calls: c, byAccount: map[string]int{}}
}

// addCount adds n to an account's count.
func (t *takeoverCounts) addCount(account string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byAccount[account] += n; t.byAccount[account] == 0 {
		delete(t.byAccount, account)
	}
}

// isBusy reports whether no more messages of an account may be taken over for now.
func (t *takeoverCounts) isBusy(account string) bool {
	if t.calls.isFull() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byAccount[account] >= maxTakeovers
}
