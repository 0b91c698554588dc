package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// margin is kept from the reply timeout for the work after the replier's answer.
const margin = 100 * time.Millisecond

// incoming is a message that is accepted.
type incoming struct {
	openedBody
	msg     *wechatv1.Message
	account *readyAccount
	arrived time.Time
	signed  int64 // when WeChat signed it, by its clock, in seconds
}

// answer is the path of a callback: open the message, ask the replier, decide, seal. Its errors are refusals.
func (c *callbackHandler) answer(w http.ResponseWriter, r *http.Request, a *readyAccount, arrived time.Time, t *callbackTrace) (response, error) {
	switch r.Method {
	case http.MethodGet:
		return c.verifyURL(r, a, arrived)
	case http.MethodPost:
	default:
		return response{}, &refusal{status: http.StatusMethodNotAllowed, outcome: refusedMethod, allow: "GET, POST"}
	}
	in, err := c.openMessage(w, r, a, arrived)
	if err != nil {
		return response{}, err
	}
	t.noteOpened(in.msg)
	noteMessage(service.LineOf(r.Context()), in.msg)

	ctx, cancel := context.WithDeadline(r.Context(), arrived.Add(c.timeout-margin))
	defer cancel()
	waitForgotten := c.forgets.startForgetting(ctx, in.msg)
	result := c.askReplier(ctx, in.msg, t)
	waitForgotten()

	return c.sealReply(r.Context(), &in, c.decide(r.Context(), &in, result, t)), nil
}

// verifyURL answers the GET with which WeChat's console checks the URL; echostr is in the clear in every mode.
func (c *callbackHandler) verifyURL(r *http.Request, a *readyAccount, now time.Time) (response, error) {
	q, err := parseQuery(r.Method, r.URL.RawQuery)
	if err != nil {
		return response{}, err
	}
	if err := a.checkURL(q, now); err != nil {
		return response{}, err
	}
	if err := checkTime(q, now, c.maxSkew); err != nil {
		return response{}, err
	}
	return response{outcome: outcomeVerified, body: []byte(q.echostr)}, nil
}

// openMessage reads the message of a POST, and checks that it is from WeChat and for this account.
func (c *callbackHandler) openMessage(w http.ResponseWriter, r *http.Request, a *readyAccount, arrived time.Time) (incoming, error) {
	q, err := parseQuery(r.Method, r.URL.RawQuery)
	if err != nil {
		return incoming{}, err
	}
	if err := a.checkQuery(q, arrived, c.maxSkew); err != nil {
		return incoming{}, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return incoming{}, err
	}
	opened, err := a.openBody(q, body, arrived)
	if err != nil {
		return incoming{}, err
	}
	msg := opened.Message()
	msg.Account = a.Name
	msg.ContentHash = msg.HashContent()
	if err := a.checkReceiver(msg); err != nil {
		return incoming{}, err
	}
	return incoming{openedBody: opened, msg: msg, account: a, arrived: arrived, signed: q.signedAt()}, nil
}

// mayDefer is shared by all requests, and never changed.
var mayDefer = &replierv1.Coordination{MayDefer: true}

// askReplier gets the replier's answer while ctx lasts.
func (c *callbackHandler) askReplier(ctx context.Context, msg *wechatv1.Message, t *callbackTrace) replyResult {
	// The call waits for a replier that restarts, as long as WeChat waits for the answer.
	options := []grpc.CallOption{grpc.WaitForReady(true),
		service.Sticky(msg.GetAccount(), msg.GetFromUserName())} // to the replica that got WeChat's first attempt
	if t != nil {
		ctx, options = t.requestSteps(ctx, options)
	}
	resp, err := c.replier.Reply(ctx, &replierv1.ReplyRequest{Message: msg, Coordination: mayDefer}, options...)
	t.addHop("replier")
	if err != nil {
		// The code alone: the text of a bot's error may contain the message.
		code := status.Code(err)
		service.LineOf(ctx).Fail(errors.New("replier: " + code.String()))
		if isUnreachable(code) {
			return replyResult{kind: replyUnanswered}
		}
		return replyResult{kind: replyFailed}
	}
	reply := leaveOutArticles(ctx, msg, resp.GetReply())
	if err := reply.Validate(); err != nil {
		service.LineOf(ctx).Fail(errors.New("WeChat would reject the replier's reply: " + err.Error()))
		return replyResult{kind: replyInvalid}
	}
	return replyResult{kindOf(resp.GetCoordination().GetState()), reply}
}

// kindOf returns the kind of a replier's answer.
func kindOf(state replierv1.ReplyState) replyKind {
	switch state {
	case replierv1.ReplyState_REPLY_STATE_UNSURE:
		return replyUnsure
	case replierv1.ReplyState_REPLY_STATE_HOLD:
		return replyHeld
	case replierv1.ReplyState_REPLY_STATE_UNSTORED:
		return replyUnanswered
	case replierv1.ReplyState_REPLY_STATE_DEFERRED:
		return replyDeferred
	case replierv1.ReplyState_REPLY_STATE_GIVEN_UP:
		return replyGivenUp
	}
	return replyAnswered
}

// isUnreachable reports whether a code means that no replier answered, or that the call was cut off: another replier may answer
// the message.
func isUnreachable(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted, codes.Aborted:
		return true
	}
	return false
}

// decide returns the answer to a message, after the replier said result.
func (c *callbackHandler) decide(ctx context.Context, in *incoming, result replyResult, t *callbackTrace) decision {
	answer := decision{outcomeReplied, result.reply}
	switch result.kind {
	case replyDeferred:
		return decision{outcomeDeferred, result.reply}
	case replyHeld:
		return c.fallback.holdOrGiveUp(ctx, in)
	case replyUnanswered:
		unanswered := c.fallback.handleUnanswered(ctx, in, in.arrived.Add(c.timeout))
		t.addHop("store")
		return unanswered
	case replyGivenUp:
		answer = c.fallback.busyReply(in.msg, outcomeGivenUp)
	case replyFailed:
		answer = c.fallback.busyReply(in.msg, outcomeFailed)
	case replyInvalid:
		answer = c.fallback.busyReply(in.msg, outcomeInvalid)
	}
	return c.fallback.answerOnce(ctx, in.msg, answer, result.kind == replyUnsure)
}

// sealReply turns a decision into the response: the reply as XML, sealed if the callback was.
func (c *callbackHandler) sealReply(ctx context.Context, in *incoming, d decision) response {
	if d.outcome == outcomeHold {
		return response{outcome: outcomeHold}
	}
	reply := c.fitReply(ctx, in.msg, d.reply)
	xml := wechat.EncodeReply(reply, in.msg.GetFromUserName(), in.msg.GetToUserName(), time.Now().Unix())
	if xml == nil {
		if d.outcome == outcomeReplied {
			d.outcome = outcomeSilent
		}
		return successResponse(d.outcome)
	}
	if in.cipher != nil {
		xml = in.cipher.SealReply(in.token, xml, time.Now().Unix(), rand.Text())
	}
	return response{outcome: d.outcome, xml: true, body: xml}
}

// noteMessage adds a message's user, type and id to the request's log line.
func noteMessage(line *service.Line, msg *wechatv1.Message) {
	line.Add(slog.String("user", service.ShortOpenID(msg.GetFromUserName())), slog.String("msg_type", service.ClipText(msg.GetMsgType(), service.MaxName)))
	if id := msg.GetMsgId(); id != 0 {
		line.Add(slog.Int64("msg_id", id))
	}
	if e := msg.GetEvent(); e != nil {
		line.Add(slog.String("event", service.ClipText(e.GetEvent(), service.MaxName)))
	}
}
