package replier

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"wxgate/internal/backlog"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// pushTime is how long oauthsvc may take to give WeChat a message, its own retries included.
const pushTime = 10 * time.Second

// pushResult is the result of an attempt to give WeChat a message. The state is Sent; Pending if the message may be sent again;
// Refused; Uncertain; or Sending if oauthsvc has to be asked about the attempt.
type pushResult struct {
	state           backlog.State
	reason, errcode string
	retryAfter      time.Duration // if Pending: the least pause
	acceptsOther    bool          // if Refused: WeChat may take another message
}

// sendPart gives WeChat a message. It continues while the process ends.
func (s *Server) sendPart(ctx context.Context, msg *wechatv1.Message, part *oauthv1.CustomMessage, attempt string) pushResult {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushTime)
	defer cancel()
	var reached peer.Peer
	_, err := s.accountService.SendCustomMessage(ctx, &oauthv1.SendCustomMessageRequest{
		Account: msg.GetAccount(), Openid: msg.GetFromUserName(), Message: part, AttemptId: attempt,
	}, grpc.Peer(&reached))
	s.slow.blocked.learnRight(msg.GetAccount(), err)
	return resultOf(err, reached.Addr != nil)
}

// checkAttempt asks oauthsvc about an earlier attempt.
func (s *Server) checkAttempt(ctx context.Context, msg *wechatv1.Message, attempt string, begun time.Time) pushResult {
	if s.accountService == nil { // another replier had one
		return pushResult{state: backlog.Uncertain, reason: "this replier has no --oauth, and cannot ask whether WeChat took the answer"}
	}
	ctx, cancel := context.WithTimeout(ctx, pushTime)
	defer cancel()
	_, err := s.accountService.CheckCustomMessage(ctx, &oauthv1.CheckCustomMessageRequest{
		Account: msg.GetAccount(), AttemptId: attempt, AgeMs: max(0, time.Since(begun).Milliseconds()),
	})
	switch st := status.Convert(err); {
	case st.Code() == codes.Unimplemented: // an oauthsvc of an older version
		return pushResult{state: backlog.Uncertain, reason: "the call was cut off"}
	case err != nil && service.SpecificInfo(err) == nil: // the question failed, not the attempt
		return pushResult{state: backlog.Sending, reason: st.Code().String()}
	}
	p := resultOf(err, true)
	if p.state == backlog.Uncertain {
		p.reason = "the process that gave WeChat the answer ended, or lost its store"
	}
	return p
}

// finalReasons are the reasons for which WeChat will not take the message later either. The value is true if it may take another
// message.
var finalReasons = map[oauthv1.ErrorReason]bool{
	oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED:   false,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT:   false,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID: true,
	oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED: false,
	oauthv1.ErrorReason_ERROR_REASON_OPENID_INVALID:  false,
	oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED:  false,
	oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT: false,
	oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST: true,
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR:  true,
}

// resultOf returns the result of a call of SendCustomMessage by its error. reached is false if the call certainly did not leave
// this process.
func resultOf(err error, reached bool) pushResult {
	if err == nil {
		return pushResult{state: backlog.Sent}
	}
	st := status.Convert(err)
	p := pushResult{state: backlog.Pending, reason: st.Code().String()}
	if info := service.SpecificInfo(err); info != nil {
		return p.withErrorInfo(info)
	}
	switch {
	case st.Code() == codes.InvalidArgument:
		p.state, p.reason, p.acceptsOther = backlog.Refused, st.Message(), true // it names fields, and holds none of their values
	case reached && (st.Code() == codes.Unavailable || st.Code() == codes.DeadlineExceeded || st.Code() == codes.Canceled):
		p.state = backlog.Sending // the call was cut off
	}
	return p
}

// withErrorInfo returns the result as oauthsvc's ErrorInfo describes it.
func (p pushResult) withErrorInfo(info *errdetails.ErrorInfo) pushResult {
	meta := info.GetMetadata()
	p.reason, p.errcode = info.GetReason(), meta["errcode"]
	acceptsOther, isFinal := finalReasons[oauthv1.ReasonNamed(p.reason)]
	switch {
	case meta["maybe_sent"] != "":
		p.state = backlog.Uncertain
	case isFinal:
		p.state, p.acceptsOther = backlog.Refused, acceptsOther
	default:
		ms, _ := strconv.ParseUint(meta["retry_after_ms"], 10, 31) // 0 if it is missing
		p.retryAfter = time.Duration(ms) * time.Millisecond
	}
	return p
}
