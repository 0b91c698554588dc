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

// The kinds of failure. There are also failures by status, such as "status 503".
const (
	notSent      = "not sent"           // the maximum of requests was in flight for 5 s
	refused      = "connection refused" // no server listens
	noConnection = "no connection"      // unknown host name, or unreachable address
	broken       = "connection broken"  // the connection broke before the answer, or the answer is not HTTP
	timeout      = "timeout"            // no answer within 5 s after it was sent
	badAnswer    = "refused by WeChat"  // WeChat would show the user an error
	wrongAnswer  = "wrong answer"       // the answer is that of another message, or not the echo
	late         = "late"               // a good answer, over 5 s after the message was due
)

// sendOutcome is the outcome of sending a message once.
type sendOutcome struct {
	failure string // "": none
	detail  string // for people
	answer  string // the reply's MsgType, or "success" for an empty reply; "" for a failure
}

// judgeAnswer returns the outcome of a message that was sent.
func (m *loadMessage) judgeAnswer(r *sender.Result, err error, latency time.Duration) sendOutcome {
	if err != nil {
		return outcomeOf(err)
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
		return sendOutcome{failure: fmt.Sprintf("status %d", r.Status), detail: http.StatusText(r.Status)}
	case r.Took > patience:
		return sendOutcome{failure: timeout, detail: noAnswer}
	case len(r.Refused) > 0:
		return sendOutcome{failure: badAnswer, detail: strings.Join(r.Refused, "; ")}
	case m.echo && answer == "text" && content != m.mark:
		return sendOutcome{failure: wrongAnswer, detail: fmt.Sprintf("%q is answered by %q", m.mark, content)}
	case m.quotesOthers(content):
		return sendOutcome{failure: wrongAnswer, detail: fmt.Sprintf("the answer to %q is that of another message: %q", m.mark, content)}
	case latency > patience:
		return sendOutcome{failure: late, detail: "the answer came over 5 s after the message was due", answer: answer}
	}
	return sendOutcome{answer: answer}
}

// noAnswer is the detail of a timeout.
const noAnswer = "no answer within 5 s after the message was sent"

// outcomeOf returns the outcome for an error of a Sender. The detail omits port and time, so that equal failures can be
// grouped.
func outcomeOf(err error) sendOutcome {
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
		return sendOutcome{failure: timeout, detail: noAnswer}
	case errors.Is(err, syscall.ECONNREFUSED):
		return sendOutcome{failure: refused, detail: detail}
	case unknown, network != nil && network.Op == "dial":
		return sendOutcome{failure: noConnection, detail: detail}
	}
	return sendOutcome{failure: broken, detail: detail}
}

// countsAsLatency reports whether the time of a failure, or of a success, counts as a latency: there was an answer, or a wait
// for one.
func countsAsLatency(failure string) bool {
	return failure != refused && failure != noConnection && failure != broken
}
