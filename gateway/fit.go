package gateway

import (
	"context"
	"log/slog"

	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

// fitReply returns the part of a reply that WeChat shows. The request's log line says if something is left out.
func (c *callbackHandler) fitReply(ctx context.Context, msg *wechatv1.Message, reply *wechatv1.Reply) *wechatv1.Reply {
	if reply.GetContent() != nil && msg.EventReply() == wechatv1.ReplyInvalid {
		service.LineOf(ctx).Add(slog.Bool("unread", true))
		return nil
	}
	return c.cutText(ctx, reply)
}

// cutText cuts a text reply that is too long for WeChat after the last character that fits.
func (c *callbackHandler) cutText(ctx context.Context, reply *wechatv1.Reply) *wechatv1.Reply {
	text := reply.GetText().GetContent()
	if c.maxText == 0 || len(text) <= c.maxText {
		return reply
	}
	shown := service.CutText(text, c.maxText)
	service.LineOf(ctx).Add(slog.Int("text_bytes", len(text)), slog.Int("cut_to", len(shown)))
	return wechatv1.TextReplyOf(shown)
}

// leaveOutArticles returns a reply without the articles that WeChat does not show. The request's log line has their number.
func leaveOutArticles(ctx context.Context, msg *wechatv1.Message, reply *wechatv1.Reply) *wechatv1.Reply {
	shown, surplus := reply.WithoutSurplus(msg)
	if surplus > 0 {
		service.LineOf(ctx).Add(slog.Int("articles_left_out", surplus))
	}
	return shown
}
