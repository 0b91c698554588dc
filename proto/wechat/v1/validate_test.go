package wechatv1

import (
	"slices"
	"strings"
	"testing"
)

func TestReplyValidateFor(t *testing.T) {
	article := &Article{Title: "t", Description: "d", PicUrl: "https://example.com/p.jpg", Url: "https://example.com/"}
	event := &Message{Content: &Message_Event{Event: &Event{}}}
	text := &Message{Content: &Message_Text{Text: &Text{}}}
	for _, test := range []struct {
		name     string
		message  *Message
		articles int
		want     string
	}{
		{"one for a text", text, 1, ""},
		{"two for a text", text, 2, "news.articles: 2 articles, expected 1"},
		{"eight for an event", event, 8, ""},
		{"nine for an event", event, 9, "news.articles: 9 articles, expected 1 to 8"},
		{"none", event, 0, "news.articles: 0 articles, expected 1 to 8"},
	} {
		reply := &Reply{Content: &Reply_News{News: &NewsReply{Articles: slices.Repeat([]*Article{article}, test.articles)}}}
		err := reply.ValidateFor(test.message)
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if err := (*Reply)(nil).ValidateFor(text); err != nil {
		t.Errorf("no reply: %v", err)
	}
}

func TestReplyValidate(t *testing.T) {
	full := &Article{Title: "t", Description: "d", PicUrl: "https://example.com/p.jpg", Url: "https://example.com/"}
	news := func(articles ...*Article) *Reply {
		return &Reply{Content: &Reply_News{News: &NewsReply{Articles: articles}}}
	}
	tests := []struct {
		name  string
		reply *Reply
		want  string // the error's text; "": valid
	}{
		{"nil", nil, ""},
		{"no content", &Reply{}, ""},
		{"text", &Reply{Content: &Reply_Text{Text: &TextReply{Content: "a"}}}, ""},
		{"text empty", &Reply{Content: &Reply_Text{Text: &TextReply{}}}, ""},
		{"text nil", &Reply{Content: &Reply_Text{}}, ""},
		{"transfer", &Reply{Content: &Reply_TransferCustomerService{}}, ""},

		{"image", &Reply{Content: &Reply_Image{Image: &ImageReply{MediaId: "m"}}}, ""},
		{"image empty", &Reply{Content: &Reply_Image{Image: &ImageReply{}}}, "image.media_id: empty, but required"},
		{"image nil", &Reply{Content: &Reply_Image{}}, "image.media_id: empty, but required"},
		{"voice", &Reply{Content: &Reply_Voice{Voice: &VoiceReply{MediaId: "m"}}}, ""},
		{"voice empty", &Reply{Content: &Reply_Voice{Voice: &VoiceReply{}}}, "voice.media_id: empty, but required"},
		{"video", &Reply{Content: &Reply_Video{Video: &VideoReply{MediaId: "m"}}}, ""},
		{
			"video without media", &Reply{Content: &Reply_Video{Video: &VideoReply{Title: "t", Description: "d"}}},
			"video.media_id: empty, but required",
		},
		{"music", &Reply{Content: &Reply_Music{Music: &MusicReply{ThumbMediaId: "m"}}}, ""},
		{
			"music without cover",
			&Reply{Content: &Reply_Music{Music: &MusicReply{
				Title: "t", Description: "d", MusicUrl: "https://example.com/a.mp3", HqMusicUrl: "https://example.com/b.mp3",
			}}},
			"music.thumb_media_id: empty, but required",
		},

		{"one article", news(full), ""},
		{"8 articles", news(slices.Repeat([]*Article{full}, 8)...), ""},
		{"9 articles", news(slices.Repeat([]*Article{full}, 9)...), "news.articles: 9 articles, expected 1 to 8"},
		{"no article", news(), "news.articles: 0 articles, expected 1 to 8"},
		{"news nil", &Reply{Content: &Reply_News{}}, "news.articles: 0 articles, expected 1 to 8"},
		{
			"articles without parts",
			news(full, &Article{Title: "t", PicUrl: "p"}, nil),
			"news.articles[1].description: empty, but required\nnews.articles[1].url: empty, but required\n" +
				"news.articles[2].title: empty, but required\nnews.articles[2].description: empty, but required\n" +
				"news.articles[2].pic_url: empty, but required\nnews.articles[2].url: empty, but required",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := test.reply.Validate(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
}

// The fields that an error names are those of the contract: who reads one finds it in the rules or the .proto file.
func TestReplyValidateNamesFields(t *testing.T) {
	for _, reply := range []*Reply{
		{Content: &Reply_Image{}}, {Content: &Reply_Voice{}}, {Content: &Reply_Video{}}, {Content: &Reply_Music{}},
		{Content: &Reply_News{}},
	} {
		path, _, _ := strings.Cut(reply.Validate().Error(), ":")
		kind, field, _ := strings.Cut(path, ".")
		d := reply.ProtoReflect().Descriptor()
		which := reply.ProtoReflect().WhichOneof(d.Oneofs().ByName("content"))
		if string(which.Name()) != kind {
			t.Errorf("%s: the content is %s", path, which.Name())
		}
		if which.Message().Fields().ByTextName(field) == nil {
			t.Errorf("%s: %s has no such field", path, which.Message().Name())
		}
	}
}
