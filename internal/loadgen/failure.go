package loadgen

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"wxgate/fakewechat/sender"
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
func (m *message) judge(r *sender.Result, err error, latency time.Duration) outcome {
	if err != nil {
		return failed(err)
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
		return outcome{failure: timeout, detail: noAnswer}
	case len(r.Refused) > 0:
		return outcome{failure: badAnswer, detail: strings.Join(r.Refused, "; ")}
	case m.echo && answer == "text" && content != m.mark:
		return outcome{failure: wrongAnswer, detail: fmt.Sprintf("%q is answered by %q", m.mark, content)}
	case m.foreign(content):
		return outcome{failure: wrongAnswer, detail: fmt.Sprintf("the answer to %q is another's: %q", m.mark, content)}
	case latency > patience:
		return outcome{failure: late, detail: "the answer came over 5 s after the message was due", answer: answer}
	}
	return outcome{answer: answer}
}

// noAnswer is all that is to be said of a timeout.
const noAnswer = "no answer within 5 s after the message was sent"

// failed returns what an error of fakewechat's means. Its words have no port and no time, which every message has its own of.
func failed(err error) outcome {
	network, _ := errors.AsType[*net.OpError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	slow, _ := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	detail := err.Error()
	if network != nil {
		detail = network.Err.Error()
	}
	switch {
	case slow != nil && slow.Timeout():
		return outcome{failure: timeout, detail: noAnswer}
	case errors.Is(err, syscall.ECONNREFUSED):
		return outcome{failure: refused, detail: detail}
	case unknown, network != nil && network.Op == "dial":
		return outcome{failure: noConnection, detail: detail}
	}
	return outcome{failure: broken, detail: detail}
}

// timed tells whether a failure, or none, is that of an answer or of one that was waited for in vain: its time counts
// as a latency.
func timed(failure string) bool {
	return failure != refused && failure != noConnection && failure != broken
}
