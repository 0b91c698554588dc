package replier

import (
	"log/slog"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// outcome is how a message was answered, in log, metrics and traces.
type outcome string

// The outcomes.
const (
	outcomeReply    outcome = "reply"    // a rule or its bot said something
	outcomeSilent   outcome = "silent"   // a rule or its bot said nothing
	outcomeNoRule   outcome = "no_rule"  // no rule answered
	outcomeFetched  outcome = "fetched"  // the message fetched the answer to an earlier one
	outcomeDeferred outcome = "deferred" // not ready in time: the message is stored, and answered later
	outcomeHold     outcome = "hold"     // not ready in time: WeChat is to send the message again
	outcomeDropped  outcome = "dropped"  // not ready in time, and the answer is of no use later
	outcomeGivenUp  outcome = "given_up" // no answer will come

	outcomeFailed     outcome = "failed"      // in traces: the call failed
	outcomeRuleFailed outcome = "rule_failed" // in metrics: a rule failed, whatever came of the message
)

// The states of responses.
const (
	stateAnswered = replierv1.ReplyState_REPLY_STATE_UNSPECIFIED
	stateUnsure   = replierv1.ReplyState_REPLY_STATE_UNSURE
	stateHold     = replierv1.ReplyState_REPLY_STATE_HOLD
	stateUnstored = replierv1.ReplyState_REPLY_STATE_UNSTORED
	stateDeferred = replierv1.ReplyState_REPLY_STATE_DEFERRED
	stateGivenUp  = replierv1.ReplyState_REPLY_STATE_GIVEN_UP
)

// respond counts and logs the outcome of a call, and returns its response.
func (c *call) respond(o outcome, state replierv1.ReplyState, reply *wechatv1.Reply) *replierv1.ReplyResponse {
	c.server.repliesTotal.WithLabelValues(string(o)).Inc()
	c.line.Add(slog.String("outcome", string(o)))
	return newResponse(state, reply)
}

func newResponse(state replierv1.ReplyState, reply *wechatv1.Reply) *replierv1.ReplyResponse {
	resp := &replierv1.ReplyResponse{Reply: reply}
	if state != stateAnswered { // as a bot would say it
		resp.Coordination = &replierv1.Coordination{State: state}
	}
	return resp
}

// noteRule logs the rule that answered, and whether a part of its answer is left out.
func noteRule(line *service.Line, d decision) {
	rule := ""
	if d.Rule != nil {
		rule = d.Rule.Name
	}
	line.Add(slog.String("rule", rule))
	if d.Unread {
		line.Add(slog.Bool("unread", true))
	}
	if d.Surplus > 0 {
		line.Add(slog.Int("articles_left_out", d.Surplus))
	}
}
