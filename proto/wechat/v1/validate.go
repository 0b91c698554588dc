package wechatv1

import (
	"errors"
	"fmt"
)

// MaxArticles is the largest number of articles that WeChat shows in one reply.
const MaxArticles = 8

// Validate returns an error that names missing required fields: WeChat would reject the reply. A nil reply, a reply without
// content and an empty text are valid: they mean no answer. More articles than WeChat shows are valid too: see WithoutSurplus.
func (r *Reply) Validate() error {
	switch c := r.GetContent().(type) {
	case *Reply_Image:
		return requireField("image.media_id", c.Image.GetMediaId())
	case *Reply_Voice:
		return requireField("voice.media_id", c.Voice.GetMediaId())
	case *Reply_Video:
		return requireField("video.media_id", c.Video.GetMediaId())
	case *Reply_Music:
		return requireField("music.thumb_media_id", c.Music.GetThumbMediaId())
	case *Reply_News:
		return c.News.validateArticles()
	}
	return nil
}

// WithoutSurplus returns a reply without the articles that WeChat would not show in the answer to a message, and the number of
// these. It does not change the reply.
func (r *Reply) WithoutSurplus(m *Message) (shown *Reply, surplus int) {
	articles := r.GetNews().GetArticles()
	most := m.shownArticles()
	if len(articles) <= most {
		return r, 0
	}
	return &Reply{Content: &Reply_News{News: &NewsReply{Articles: articles[:most]}}}, len(articles) - most
}

// shownArticles returns how many articles WeChat shows in the answer to a message: one, or MaxArticles for an event
// (platform.md D).
func (m *Message) shownArticles() int {
	if m.GetEvent() == nil {
		return 1
	}
	return MaxArticles
}

// validateArticles requires a title for each article. Articles without a description, a picture or a page are widely used.
func (n *NewsReply) validateArticles() error {
	if len(n.GetArticles()) == 0 {
		return errors.New("news.articles: empty, but required")
	}
	var errs []error
	for i, a := range n.GetArticles() {
		errs = append(errs, requireField(fmt.Sprintf("news.articles[%d].title", i), a.GetTitle()))
	}
	return errors.Join(errs...)
}

func requireField(field, value string) error {
	if value == "" {
		return fmt.Errorf("%s: empty, but required", field)
	}
	return nil
}

// Kind returns the MsgType. If that is not set, as in a message that was not made from a callback, it returns the arm's name,
// which is the same.
func (m *Message) Kind() string {
	if m.GetMsgType() != "" || m == nil {
		return m.GetMsgType()
	}
	r := m.ProtoReflect()
	if arm := r.WhichOneof(r.Descriptor().Oneofs().ByName("content")); arm != nil {
		return string(arm.Name())
	}
	return ""
}
