package load

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"wxgate/internal/fakewechat"
)

// The kinds of failure; besides them there is "status 503" and the like.
const (
	notSent      = "not sent"           // as many requests as may be were in flight for 5 s
	refused      = "connection refused" // nobody listens
	noConnection = "no connection"      // the name is not known, the address is not reached
	broken       = "connection broken"  // before the answer was there, or what came is no HTTP
	timeout      = "timeout"            // no answer within 5 s after it was sent
	badAnswer    = "refused by WeChat"  // WeChat would show the user an error
	wrongAnswer  = "wrong answer"       // the answer is another message's, or no echo
	late         = "late"               // a good answer, over 5 s after the message was due
)

// outcome is what came of sending a message once.
type outcome struct {
	failure string // "": none
	detail  string // in words
	answer  string // the reply's MsgType, "success" where nothing is said; "" where there is none to be shown
}

// judge tells what came of a message that was sent.
func (m *message) judge(r *fakewechat.Result, err error, latency time.Duration) outcome {
	if err != nil {
		return outcome{failure: failureOf(err), detail: err.Error()}
	}
	answer, content := "success", ""
	for _, f := range r.Fields {
		switch f.Name {
		case "MsgType":
			answer = f.Value
		case "Content":
			content = f.Value
		}
	}
	switch {
	case r.Status != http.StatusOK:
		return outcome{failure: fmt.Sprintf("status %d", r.Status), detail: http.StatusText(r.Status)}
	case r.Took > patience:
		return outcome{failure: timeout, detail: strings.Join(r.Refused, "; ")}
	case len(r.Refused) > 0:
		return outcome{failure: badAnswer, detail: strings.Join(r.Refused, "; ")}
	case m.echo && answer == "text" && content != m.mark:
		return outcome{failure: wrongAnswer, detail: fmt.Sprintf("%q is answered by %q", m.mark, content)}
	case m.foreign(content):
		return outcome{failure: wrongAnswer, detail: fmt.Sprintf("the answer to %q is another's: %q", m.mark, content)}
	case latency > patience:
		return outcome{failure: late, detail: fmt.Sprintf("the answer came %.1f s after the message was due", latency.Seconds()), answer: answer}
	}
	return outcome{answer: answer}
}

// failureOf returns the kind of an error of fakewechat's.
func failureOf(err error) string {
	dial, _ := errors.AsType[*net.OpError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	slow, _ := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	switch {
	case slow != nil && slow.Timeout():
		return timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case unknown, dial != nil && dial.Op == "dial":
		return noConnection
	}
	return broken
}

// timed tells whether a failure, or none, is that of an answer or of one that was waited for in vain: its time counts
// as a latency.
func timed(failure string) bool {
	return failure != refused && failure != noConnection && failure != broken
}
