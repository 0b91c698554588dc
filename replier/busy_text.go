package replier

import (
	"context"
	"errors"
	"strings"

	"wxgate/internal/backlog"
	wechatv1 "wxgate/proto/wechat/v1"
)

// apologize ends a message to which no answer will come. A user who waits for one reads the busy text: now, or if later is
// true with the next message, as the answer would have come.
func (s *Server) apologize(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, later bool, e backlog.Ending) {
	if s.busy == "" || !later && !s.mayPush(msg.GetAccount()) || !w.WasTold() && !later && !asksSomething(msg) {
		_ = w.End(ctx, e.State, e.Reason, e.Errcode)
		return
	}
	w.Apologize(e)
	if later {
		s.keep(ctx, w, msg, textReply(s.busy))
	} else {
		s.follow(ctx, w, msg, textReply(s.busy), 0)
	}
}

// asksSomething reports whether a user expects an answer to a message. Who follows the account does not.
func asksSomething(msg *wechatv1.Message) bool {
	return msg.EventReply() == wechatv1.ReplyShown && !strings.EqualFold(msg.GetEvent().GetEvent(), "subscribe")
}

// mayPush reports whether an account may send customer-service messages, as far as this process knows.
func (s *Server) mayPush(account string) bool {
	refused, _ := s.ways.refusals.recent(account)
	return s.account != nil && !refused
}

// keep keeps an answer for the user's next message. One that the store never takes is given up: else the user's messages
// wait for it.
func (s *Server) keep(ctx context.Context, w *backlog.Work, msg *wechatv1.Message, reply *wechatv1.Reply) {
	err := w.KeepReply(ctx, shorten(reply))
	if !errors.Is(err, backlog.ErrRejected) {
		return // what could not be stored now is taken again
	}
	refused := backlog.Ending{State: backlog.Refused, Reason: err.Error()}
	if w.Apology() == nil {
		s.apologize(ctx, w, msg, true, refused)
		return
	}
	_ = w.End(ctx, refused.State, refused.Reason, "")
}
