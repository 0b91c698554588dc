package gateway

import (
	"context"
	"log/slog"

	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

// fitReply returns what WeChat shows of a reply to a message. What is left out is noted in the request's log line.
func (c *callbacks) fitReply(ctx context.Context, msg *wechatv1.Message, reply *wechatv1.Reply) *wechatv1.Reply {
	if reply.GetContent() != nil && msg.EventReply() == wechatv1.ReplyInvalid {
		service.LineOf(ctx).Add(slog.Bool("unread", true))
		return nil
	}
	return c.cut(ctx, reply)
}

// cut returns a reply whose text WeChat shows: one that is too long ends at the last whole character that fits.
func (c *callbacks) cut(ctx context.Context, reply *wechatv1.Reply) *wechatv1.Reply {
	text := reply.GetText().GetContent()
	if c.maxText == 0 || len(text) <= c.maxText {
		return reply
	}
	shown := service.Cut(text, c.maxText)
	service.LineOf(ctx).Add(slog.Int("text_bytes", len(text)), slog.Int("cut_to", len(shown)))
	return textReply(shown)
}

// leaveOut returns a reply without the articles that WeChat does not show. That there were more is noted in the request's log
// line.
func leaveOut(ctx context.Context, msg *wechatv1.Message, reply *wechatv1.Reply) *wechatv1.Reply {
	shown, surplus := reply.Shown(msg)
	if surplus > 0 {
		service.LineOf(ctx).Add(slog.Int("articles_left_out", surplus))
	}
	return shown
}
