package replier

import (
	"context"
	"errors"
	"strings"

	"wxgate/internal/backlog"
	wechatv1 "wxgate/proto/wechat/v1"
)

// endWithBusyText ends a message to which no answer will come. If the user waits for one, the user reads the busy text: now, or
// with the next message if later is true.
func (s *Server) endWithBusyText(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, later bool, e backlog.Ending) {
	if s.busyText == "" || !later && !s.mayPush(msg.GetAccount()) || !w.WasTold() && !later && !expectsAnswer(msg) {
		_ = w.End(ctx, e.State, e.Reason, e.Errcode)
		return
	}
	w.Apologize(e)
	if later {
		s.keepAnswer(ctx, w, msg, wechatv1.TextReplyOf(s.busyText))
	} else {
		s.pushAnswer(ctx, w, msg, wechatv1.TextReplyOf(s.busyText), 0)
	}
}

// expectsAnswer reports whether a user expects an answer to a message. After following the account, a user does not.
func expectsAnswer(msg *wechatv1.Message) bool {
	return msg.EventReply() == wechatv1.ReplyShown && !strings.EqualFold(msg.GetEvent().GetEvent(), "subscribe")
}

// mayPush reports whether an account may send customer-service messages, as far as this process knows.
func (s *Server) mayPush(account string) bool {
	isBlocked, _ := s.slow.blocked.isBlocked(account)
	return s.accountService != nil && !isBlocked
}

// keepAnswer keeps an answer for the user's next message. One that the store never takes is given up: else it would block the
// user's messages.
func (s *Server) keepAnswer(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, reply *wechatv1.Reply) {
	err := w.KeepReply(ctx, shortenReply(reply))
	if !errors.Is(err, backlog.ErrRejected) {
		return // a message that could not be stored now is taken over later
	}
	refused := backlog.Ending{State: backlog.Refused, Reason: err.Error()}
	if w.Apology() == nil {
		s.endWithBusyText(ctx, w, msg, true, refused)
		return
	}
	_ = w.End(ctx, refused.State, refused.Reason, "")
}
