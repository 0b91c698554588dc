package wechatv1

import (
	"slices"
	"strings"
	"testing"
)

// TestFindingsSurplusArticles: of the articles, those that WeChat does not show are left out, and the reply stays as it is.
func TestFindingsSurplusArticles(t *testing.T) {
	event := &Message{Content: &Message_Event{Event: &Event{}}}
	text := &Message{Content: &Message_Text{Text: &Text{}}}
	for _, test := range []struct {
		name                     string
		message                  *Message
		articles, shown, surplus int
	}{
		{"one for a text", text, 1, 1, 0},
		{"two for a text", text, 2, 1, 1},
		{"two for no content", &Message{}, 2, 1, 1},
		{"eight for an event", event, 8, 8, 0},
		{"ten for an event", event, 10, 8, 2},
		{"none", event, 0, 0, 0},
	} {
		reply := &Reply{Content: &Reply_News{News: &NewsReply{Articles: slices.Repeat([]*Article{{Title: "t"}}, test.articles)}}}
		shown, surplus := reply.WithoutSurplus(test.message)
		if got := len(shown.GetNews().GetArticles()); got != test.shown || surplus != test.surplus {
			t.Errorf("%s: %d shown, surplus %d; want %d, %d", test.name, got, surplus, test.shown, test.surplus)
		}
		if got := len(reply.GetNews().GetArticles()); got != test.articles {
			t.Errorf("%s: the reply has %d articles now", test.name, got)
		}
	}
	if shown, surplus := (*Reply)(nil).WithoutSurplus(text); shown != nil || surplus != 0 {
		t.Errorf("no reply: %v, %d", shown, surplus)
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
		{"9 articles", news(slices.Repeat([]*Article{full}, 9)...), ""},
		{"no article", news(), "news.articles: empty, but required"},
		{"news nil", &Reply{Content: &Reply_News{}}, "news.articles: empty, but required"},
		{
			"articles without parts",
			news(full, &Article{Title: "t", PicUrl: "p"}, nil),
			"news.articles[2].title: empty, but required",
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
