package replier

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// callSize is about what a call to a bot costs in memory, besides its message, in bytes.
	callSize = 48 << 10
	// messageCopies is how often the message is in memory meanwhile.
	messageCopies = 3
	// fairShare is how many times what is free an account may use: alone it comes to four fifths, and one that comes besides
	// finds room at once.
	fairShare = 4
)

// errTooManyCalls is the error of a message for which there is no room among those that wait for bots.
var errTooManyCalls = errors.New("too many messages wait for bots")

// calls bounds the memory of the messages that wait for bots, of each account and of all. It is safe for concurrent use.
type calls struct {
	most int // bytes

	mu        sync.Mutex
	under     int // calls under way
	used      int // bytes
	byAccount map[string]int
}

func newCalls(metrics prometheus.Registerer, most int) *calls {
	c := &calls{most: most, byAccount: map[string]int{}}
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_bot_calls", Help: "Messages that wait for bots.",
	}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(c.under)
	}))
	return c
}

// reserve takes room for a message that waits for a bot, which release gives back. The error is errTooManyCalls, but not for
// a message that was taken over: those have a bound of their own.
func (c *calls) reserve(msg *wechatv1.Message, takenOver bool) (release func(), err error) {
	account, size := msg.GetAccount(), callSize+messageCopies*proto.Size(msg)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !takenOver && (c.used+size > c.most || c.byAccount[account]+size > fairShare*(c.most-c.used)) {
		return nil, errTooManyCalls
	}
	c.add(account, 1, size)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.add(account, -1, -size)
	}, nil
}

// isFull reports whether there is no room left.
func (c *calls) isFull() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used >= c.most
}

// add changes what is used. The caller holds mu.
func (c *calls) add(account string, under, size int) {
	c.under += under
	c.used += size
	if c.byAccount[account] += size; c.byAccount[account] == 0 {
		delete(c.byAccount, account)
	}
}

// maxTakeovers is how many messages of an account that were taken over may wait for bots at a time: bots that come back are not
// run over.
const maxTakeovers = 256

// takeovers counts the messages that were taken over and wait for bots. It is safe for concurrent use.
type takeovers struct {
	calls *calls

	mu        sync.Mutex
	byAccount map[string]int
}

func newTakeovers(c *calls) *takeovers { return &takeovers{calls: c, byAccount: map[string]int{}} }

// add adds n to those of an account.
func (t *takeovers) add(account string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byAccount[account] += n; t.byAccount[account] == 0 {
		delete(t.byAccount, account)
	}
}

// isBusy reports whether an account may have no more for now.
func (t *takeovers) isBusy(account string) bool {
	if t.calls.isFull() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byAccount[account] >= maxTakeovers
}

// crowdedOut reports whether nothing was said because too many messages wait for bots.
func (d decision) crowdedOut() bool {
	return d.Rule == nil && errors.Is(errors.Join(d.Failed...), errTooManyCalls)
}
