package gateway

import (
	"strings"

	wechatv1 "wxgate/proto/wechat/v1"
)

// callbackOutcome is the result of a callback, for the log, the metric and the debug view.
type callbackOutcome string

// The outcomes of accepted callbacks.
const (
	outcomeReplied  callbackOutcome = "replied"
	outcomeSilent   callbackOutcome = "silent"
	outcomeVerified callbackOutcome = "verified"
	outcomeDeferred callbackOutcome = "deferred"
	outcomeStored   callbackOutcome = "stored"
	outcomeRepeated callbackOutcome = "repeated"
	outcomeHold     callbackOutcome = "hold"
	outcomeDropped  callbackOutcome = "dropped"
	outcomeGivenUp  callbackOutcome = "given_up"
	outcomeFailed   callbackOutcome = "replier_failed"
	outcomeInvalid  callbackOutcome = "reply_refused"
	outcomePanic    callbackOutcome = "panic"
)

// The outcomes of callbacks that were refused, each named after the check that failed.
const (
	refusedMethod     callbackOutcome = "method"
	refusedParameter  callbackOutcome = "parameter"
	refusedSignature  callbackOutcome = "signature"
	refusedTimestamp  callbackOutcome = "timestamp"
	refusedMode       callbackOutcome = "mode"
	refusedSize       callbackOutcome = "size"
	refusedBody       callbackOutcome = "body"
	refusedXML        callbackOutcome = "xml"
	refusedEnvelope   callbackOutcome = "envelope"
	refusedAppID      callbackOutcome = "app_id"
	refusedOriginalID callbackOutcome = "original_id"
)

// outcomeMeanings explains the outcomes in the help of the metric.
var outcomeMeanings = [...]struct {
	outcome callbackOutcome
	meaning string
}{
	{outcomeReplied, "WeChat got a reply"},
	{outcomeSilent, "there is nothing to reply"},
	{outcomeVerified, "WeChat's console checked the URL"},
	{outcomeDeferred, "the answer is delivered later"},
	{outcomeStored, "no replier answered in time; the message is stored"},
	{outcomeRepeated, "another attempt of WeChat's got or gets the answer"},
	{outcomeHold, "the answer is not ready; WeChat sends the message again"},
	{outcomeDropped, "no replier answered in time; the message is dropped, as configured"},
	{outcomeGivenUp, "no answer will come"},
	{outcomeFailed, "the replier failed"},
	{outcomeInvalid, "WeChat would reject the reply"},
	{outcomePanic, "the gateway failed"},
}

// outcomeHelp returns the help of the metric.
func outcomeHelp() string {
	var help strings.Builder
	help.WriteString("Callbacks by outcome. ")
	for _, o := range outcomeMeanings {
		help.WriteString(string(o.outcome) + ": " + o.meaning + "; ")
	}
	help.WriteString("otherwise the check that refused the callback, such as " + string(refusedSignature) + ".")
	return help.String()
}

// replyKind is the result of a call of the replier: the replier's ReplyState, or the way in which the call failed.
type replyKind int

const (
	replyAnswered   replyKind = iota
	replyUnsure               // answered, but the replier could not learn whether the message is stored
	replyDeferred             // the message is stored, and its answer is delivered later
	replyHeld                 // not ready: WeChat is to send the message again
	replyUnanswered           // no replier answered in time, or it could not store the message
	replyGivenUp              // no answer will come
	replyFailed               // the replier returned an error
	replyInvalid              // WeChat would reject the reply
)

// replyResult is the replier's answer to a message.
type replyResult struct {
	kind  replyKind
	reply *wechatv1.Reply // nil: nothing to say
}

// decision is the gateway's answer to a message.
type decision struct {
	outcome callbackOutcome
	reply   *wechatv1.Reply // nil: nothing to say
}
