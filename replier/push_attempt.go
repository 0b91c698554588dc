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

// pushTime is how long oauthsvc may take to give WeChat a message, with what it repeats by itself.
const pushTime = 10 * time.Second

// pushed is what became of an attempt to give WeChat a message: Sent, Pending if it may be given again, Refused, Uncertain, or
// Sending if oauthsvc is to be asked.
type pushed struct {
	state           backlog.State
	reason, errcode string
	after           time.Duration // if Pending: after what time at the earliest
	another         bool          // if Refused: WeChat may take another message
}

// push gives WeChat a message. It goes on while the process ends.
func (s *Server) push(ctx context.Context, msg *wechatv1.Message, part *oauthv1.CustomMessage, attempt string) pushed {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushTime)
	defer cancel()
	var reached peer.Peer
	_, err := s.account.SendCustomMessage(ctx, &oauthv1.SendCustomMessageRequest{
		Account: msg.GetAccount(), Openid: msg.GetFromUserName(), Message: part, AttemptId: attempt,
	}, grpc.Peer(&reached))
	s.ways.refusals.learn(msg.GetAccount(), err)
	return understand(err, reached.Addr != nil)
}

// ask asks oauthsvc what became of an attempt to give WeChat a message.
func (s *Server) ask(ctx context.Context, msg *wechatv1.Message, attempt string, begun time.Time) pushed {
	if s.account == nil { // another replier had one
		return pushed{state: backlog.Uncertain, reason: "this replier has no --oauth, and cannot ask whether WeChat took the answer"}
	}
	ctx, cancel := context.WithTimeout(ctx, pushTime)
	defer cancel()
	_, err := s.account.CheckCustomMessage(ctx, &oauthv1.CheckCustomMessageRequest{
		Account: msg.GetAccount(), AttemptId: attempt, AgeMs: max(0, time.Since(begun).Milliseconds()),
	})
	switch st := status.Convert(err); {
	case st.Code() == codes.Unimplemented: // an oauthsvc of a version before
		return pushed{state: backlog.Uncertain, reason: "the call was cut off"}
	case err != nil && service.SpecificInfo(err) == nil: // it is the question that failed, not the attempt
		return pushed{state: backlog.Sending, reason: st.Code().String()}
	}
	p := understand(err, true)
	if p.state == backlog.Uncertain {
		p.reason = "the process that gave WeChat the answer ended, or lost its store"
	}
	return p
}

// final are the reasons for which WeChat will not take the message later either; true: but it may take another one.
var final = map[oauthv1.ErrorReason]bool{
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

// understand returns what an error of SendCustomMessage means for the message; reached is false if the call certainly did not
// leave this process.
func understand(err error, reached bool) pushed {
	if err == nil {
		return pushed{state: backlog.Sent}
	}
	st := status.Convert(err)
	p := pushed{state: backlog.Pending, reason: st.Code().String()}
	if info := service.SpecificInfo(err); info != nil {
		return p.explained(info)
	}
	switch {
	case st.Code() == codes.InvalidArgument:
		p.state, p.reason, p.another = backlog.Refused, st.Message(), true // it names fields, and repeats none
	case reached && (st.Code() == codes.Unavailable || st.Code() == codes.DeadlineExceeded || st.Code() == codes.Canceled):
		p.state = backlog.Sending // the call was cut off
	}
	return p
}

// explained returns p with what oauthsvc says of the error.
func (p pushed) explained(info *errdetails.ErrorInfo) pushed {
	meta := info.GetMetadata()
	p.reason, p.errcode = info.GetReason(), meta["errcode"]
	another, isFinal := final[oauthv1.ReasonNamed(p.reason)]
	switch {
	case meta["maybe_sent"] != "":
		p.state = backlog.Uncertain
	case isFinal:
		p.state, p.another = backlog.Refused, another
	default:
		ms, _ := strconv.ParseUint(meta["retry_after_ms"], 10, 31) // 0: it says nothing of a time
		p.after = time.Duration(ms) * time.Millisecond
	}
	return p
}
