package gateway

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

// owed settles messages that no replier answered in time: they are stored for the repliers that come back, or WeChat is
// left without an answer, so that it sends them again.
type owed struct {
	backlog *backlog.Backlog // nil: nothing is stored
	usual   accounts.Slow    // where the account does not say what becomes of an answer that is not ready
	busy    string

	mu     sync.Mutex // between a look at attempts and its change
	missed *otter.Cache[wechatv1.Key, int]
}

const (
	// storeTime is how long storing a message may take beyond the reply timeout, and storeBy when it ends at the latest,
	// after the callback's arrival: WeChat hangs up after 5 s.
	storeTime = 300 * time.Millisecond
	storeBy   = 4900 * time.Millisecond
	// maxAttempts is how often WeChat sends a message (platform.md A.6).
	maxAttempts = 3
	// lastAfter is how long after a message WeChat's last attempt comes at least, in seconds: two were left without an
	// answer for 5 s each. What is older than lastBefore comes late for another reason.
	lastAfter, lastBefore = 9, 30
	// missedMemory is how many messages that got no answer are remembered.
	missedMemory = 10_000
)

func newOwed(cfg Config) *owed {
	return &owed{backlog: cfg.Backlog, usual: cfg.Slow, busy: strings.TrimSpace(cfg.BusyText), missed: otter.Must(&otter.Options[wechatv1.Key, int]{
		MaximumSize: missedMemory,
	})}
}

// settle says what comes of a message that came at a time and that no replier answered by another; arrived is the
// callback's context.
func (o *owed) settle(arrived context.Context, came, by time.Time, a *account, msg *wechatv1.Message) said {
	if o.backlog != nil && o.backlog.AnsweredLocally(msg) {
		return saidBefore
	}
	slow := o.way(a)
	if !msg.EventReply().Answerable() && slow.How != accounts.Drop && slow.How != accounts.Hold {
		slow = accounts.Slow{How: accounts.Push} // the user reads no text, and waits for nothing
	}
	switch slow.How {
	case accounts.Drop:
		return said{outcome: "dropped"}
	case accounts.Push, accounts.Later:
		if by = by.Add(storeTime); by.After(came.Add(storeBy)) {
			by = came.Add(storeBy)
		}
		ctx, cancel := context.WithDeadline(arrived, by)
		defer cancel()
		switch err := o.backlog.Store(ctx, msg, came, slow.How == accounts.Later, slow.Text); {
		case err == nil:
			return said{reply: textReply(slow.Text), outcome: "stored"}
		case errors.Is(err, backlog.ErrFull):
			service.LineOf(arrived).Fail(err)
			return o.sorry(msg, "given_up")
		default:
			service.LineOf(arrived).Fail(err)
		}
	}
	return said{hold: true}
}

// saidBefore is for an attempt whose message has its answer, or gets it, by another one.
var saidBefore = said{outcome: "repeated"}

// stored reports whether a message was stored here a moment ago, or where look is true anywhere.
func (o *owed) stored(ctx context.Context, msg *wechatv1.Message, look bool) bool {
	return o.backlog != nil && (o.backlog.StoredLocally(msg) || look && o.backlog.IsStored(ctx, msg))
}

// answered remembers that WeChat gets the answer to a message now.
func (o *owed) answered(msg *wechatv1.Message) {
	if o.backlog != nil {
		o.backlog.MarkAnswered(msg)
	}
}

// way returns what becomes of an account's answers that are not ready, as far as this process can do it.
func (o *owed) way(a *account) accounts.Slow {
	slow := a.Slow
	if slow.How == "" {
		slow = o.usual
	}
	if slow.How == "" && a.Pushable {
		slow.How = accounts.Push
	}
	switch {
	case slow.How == "", slow.How != accounts.Drop && o.backlog == nil, slow.How == accounts.Push && !a.Pushable:
		return accounts.Slow{How: accounts.Hold}
	case slow.How == accounts.Later && slow.Text == "":
		slow.Text = accounts.LaterText
	}
	return slow
}

// lastAttempt counts an attempt to send a message that gets no answer, and reports whether WeChat makes no other one: by
// what this gateway counted, or where attempts met others, by WeChat's clock, which signed the attempt at a time.
func (o *owed) lastAttempt(msg *wechatv1.Message, signed int64) bool {
	key, ok := msg.Key()
	if !ok {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n, _ := o.missed.GetIfPresent(key)
	o.missed.Set(key, n+1)
	age := signed - msg.GetCreateTime()
	return n+1 >= maxAttempts || age >= lastAfter && age <= lastBefore
}

// sorry tells the user that no answer will come, where WeChat would show it.
func (o *owed) sorry(msg *wechatv1.Message, outcome string) said {
	if !shown(msg) {
		return said{outcome: outcome}
	}
	return said{reply: textReply(o.busy), outcome: outcome}
}

// shown reports whether WeChat shows the reply to a message (platform.md C.13): to what a user did on purpose.
func shown(msg *wechatv1.Message) bool {
	e := msg.GetEvent()
	if e == nil {
		return msg.GetMsgId() != 0
	}
	switch strings.ToLower(e.GetEvent()) {
	case "click", "scan", "scancode_waitmsg":
		return true
	}
	return false
}

// textReply returns a text as a reply; nil for none.
func textReply(content string) *wechatv1.Reply {
	if content == "" {
		return nil
	}
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: content}}}
}
