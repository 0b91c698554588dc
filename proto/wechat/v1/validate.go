package wechatv1

import (
	"errors"
	"fmt"
)

// MaxArticles is how many articles WeChat shows at most in one reply.
const MaxArticles = 8

// Validate tells what WeChat would refuse in a reply, naming the fields: those that are required and missing, too many
// articles. A nil reply, one without content and an empty text are valid: nothing is said.
func (r *Reply) Validate() error {
	switch c := r.GetContent().(type) {
	case *Reply_Image:
		return required("image.media_id", c.Image.GetMediaId())
	case *Reply_Voice:
		return required("voice.media_id", c.Voice.GetMediaId())
	case *Reply_Video:
		return required("video.media_id", c.Video.GetMediaId())
	case *Reply_Music:
		return required("music.thumb_media_id", c.Music.GetThumbMediaId())
	case *Reply_News:
		return c.News.validate()
	}
	return nil
}

// ValidateFor is Validate for the answer to a message: other than to an event, WeChat shows one article of news.
func (r *Reply) ValidateFor(m *Message) error {
	if n := len(r.GetNews().GetArticles()); n > 1 && m.GetEvent() == nil {
		return fmt.Errorf("news.articles: %d articles, expected 1: in the answer to a message that is no event WeChat shows no more", n)
	}
	return r.Validate()
}

func (n *NewsReply) validate() error {
	articles := n.GetArticles()
	if len(articles) == 0 || len(articles) > MaxArticles {
		return fmt.Errorf("news.articles: %d articles, expected 1 to %d", len(articles), MaxArticles)
	}
	var errs []error
	for i, a := range articles {
		at := fmt.Sprintf("news.articles[%d].", i)
		errs = append(errs,
			required(at+"title", a.GetTitle()),
			required(at+"description", a.GetDescription()),
			required(at+"pic_url", a.GetPicUrl()),
			required(at+"url", a.GetUrl()))
	}
	return errors.Join(errs...)
}

func required(field, value string) error {
	if value == "" {
		return fmt.Errorf("%s: empty, but required", field)
	}
	return nil
}

// Kind returns the MsgType, or where that is not set the arm's name, which is the same: for a message that was not made
// from a callback.
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
