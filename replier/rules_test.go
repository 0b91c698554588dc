package replier

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// TestBuiltin: the built-in rules answer as the program of the blog post does, word for word.
func TestBuiltin(t *testing.T) {
	r := start(t, "")
	unknown := message("hologram")
	unknown.Content = &wechatv1.Message_Unknown{Unknown: &wechatv1.Unknown{}}
	long := strings.Repeat("很长", 10_000)
	for _, tt := range []struct {
		name string
		msg  *wechatv1.Message
		want *wechatv1.Reply // nil: none
	}{
		{"text", text("Big brother muyao nb"), says("Big brother muyao nb")},
		{"text, empty", text(""), says("")},
		{"text of another alphabet", text("你好 👋\n<a href=\"x\">&amp;</a> ]]>\x00\x1f"), says("你好 👋\n<a href=\"x\">&amp;</a> ]]>\x00\x1f")},
		{"text that looks like a template", text("{{ message.from_user_name }}"), says("{{ message.from_user_name }}")},
		{"text, long", text(long), says(long)},
		{"voice", voice("turn on the light"), says("turn on the light")},
		{"voice, not recognised", voice(""), says("What you said! I cannot understand you")},
		{"image", image(), says("Good picture, good picture!")},
		{"location", location("23.10", "113.30", "广州"), says("So you're in(X, Y)=(23.10, 113.30)of广州!")},
		{"location, empty", location("", "", ""), says("So you're in(X, Y)=(, )of!")},
		{"video", video(), says("Don't send anything weird")},
		{"subscribe", event("subscribe", ""), says("Thank you for your attention!")},
		{"subscribe by a QR code", event("subscribe", "qrscene_7"), says("Thank you for your attention!")},
		{"unsubscribe", event("unsubscribe", ""), nil},
		{"CLICK", event("CLICK", "V1001"), nil},
		{"unknown event", event("from_tomorrow", ""), nil},
		{"shortvideo", shortvideo(), nil},
		{"link", link(), nil},
		{"unknown MsgType", unknown, nil},
		{"empty message", &wechatv1.Message{}, nil},
		{"event without content", message("event"), nil},
		{"text without content", message("text"), says("")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, r.ask(t, tt.msg), protocmp.Transform()); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoMessage: a request without a message is the caller's fault, and names the field.
func TestNoMessage(t *testing.T) {
	r := start(t, "")
	_, err := r.Reply(t.Context(), &replierv1.ReplyRequest{})
	got := status.Convert(err)
	if got.Code() != codes.InvalidArgument || got.Message() != "message: missing, but required" {
		t.Errorf("got %v", err)
	}
}

// TestConcurrent: messages that come at one time do not mix.
func TestConcurrent(t *testing.T) {
	r := start(t, "")
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 8 {
				want := fmt.Sprintf("text %d.%d", i, j)
				resp, err := r.Reply(t.Context(), &replierv1.ReplyRequest{Message: text(want)})
				if got := resp.GetReply().GetText().GetContent(); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			}
		})
	}
	wg.Wait()
}

// TestMatch runs the rules of testdata/good/match.yaml.
func TestMatch(t *testing.T) {
	r := start(t, "rules/testdata/good/match.yaml")
	for _, tt := range []struct {
		name string
		msg  *wechatv1.Message
		want *wechatv1.Reply // nil: silent
	}{
		{"event of a list", event("unsubscribe", ""), nil},
		{"event, case as in no rule", event("LOCATION", ""), nil},
		{"type, event and key", event("CLICK", "help"), says("menu")},
		{"a number as key", event("click", "123"), says("menu")},
		{"key with capitals", event("CLICK", "V1_Help"), says("menu")},
		{"a key's case counts", event("CLICK", "HELP"), says("event")},
		{"key of another event", event("SCAN", "help"), says("event")},
		{"key alone", event("SCAN", "qrscene_7"), says("scene")},
		{"key alone, no event", message("event"), says("event")},
		{"type of a list", image(), says("media")},
		{"type of a list, case", voice(""), says("media")},
		{"MsgType, case", message("IMAGE"), says("media")},
		{"MsgType of tomorrow", message("hologram_2"), says("tomorrow")},
		{"first match wins", text("hi"), says("any")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, r.ask(t, tt.msg), protocmp.Transform()); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReplies runs the rules of testdata/good/replies.yaml: every kind of reply.
func TestReplies(t *testing.T) {
	r := start(t, "rules/testdata/good/replies.yaml")
	film := video()
	film.MsgId = 3272960105994287638
	for _, tt := range []struct {
		name string
		msg  *wechatv1.Message
		want *wechatv1.Reply
	}{
		{"text", text("hi"), says("you said hi")},
		{"image", image(), &wechatv1.Reply{Content: &wechatv1.Reply_Image{Image: &wechatv1.ImageReply{MediaId: "image-7"}}}},
		{"voice", voice(""), &wechatv1.Reply{Content: &wechatv1.Reply_Voice{Voice: &wechatv1.VoiceReply{MediaId: "voice-1"}}}},
		{"video", film, &wechatv1.Reply{Content: &wechatv1.Reply_Video{Video: &wechatv1.VideoReply{
			MediaId: "video-7", Title: "A video", Description: "3272960105994287638",
		}}}},
		{"music", shortvideo(), &wechatv1.Reply{Content: &wechatv1.Reply_Music{Music: &wechatv1.MusicReply{
			Title: "Song", Description: "for shop", MusicUrl: "https://example.com/a.mp3",
			HqMusicUrl: "https://example.com/a.flac", ThumbMediaId: "thumb-1",
		}}}},
		{"news", link(), &wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: []*wechatv1.Article{
			{Title: "Title", Description: "about it", PicUrl: "https://example.com/1.png", Url: "https://example.com/page"},
		}}}}},
		{"two articles for an event", event("SCAN", "7"), &wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: []*wechatv1.Article{
			{Title: "One", Description: "first", PicUrl: "https://example.com/1.png", Url: "https://example.com/1"},
			{Title: "Two", Description: "second", PicUrl: "https://example.com/2.png", Url: "https://example.com/7"},
		}}}}},
		{"customer service, one agent", event("CLICK", "agent"), transfer("agent@shop")},
		{"customer service", event("CLICK", "x"), transfer("")},
		{"silent", message("hologram"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, r.ask(t, tt.msg), protocmp.Transform()); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

func transfer(agent string) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_TransferCustomerService{
		TransferCustomerService: &wechatv1.TransferCustomerServiceReply{KfAccount: agent},
	}}
}

// failing are rules that load and then cannot answer.
const failing = `
rules:
  - name: out of range
    match: {type: text}
    reply: {text: "{{ [1][int(message.msg_id)] }}"}
  - name: no number
    match: {type: text}
    reply: {text: "{{ int(message.text.content) }}"}
  - name: not a text
    match: {type: text}
    reply: {text: "{{ dyn(message.text) }}"}
  - name: no picture
    match: {type: [text, image]}
    reply: {image: {media_id: "{{ message.image.media_id }}"}}
  - name: second
    match: {type: text}
    reply: {text: second}
`

// TestFailingRules: a rule that fails counts as not matched. The log says which and why, and nothing of the message.
func TestFailingRules(t *testing.T) {
	r := startRules(t, failing)
	if diff := cmp.Diff(says("second"), r.ask(t, text("my password is 1234")), protocmp.Transform()); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	want := map[string]any{
		"level": "ERROR", "msg": "rpc", "method": "/replier.v1.ReplierService/Reply", "code": "OK",
		"account": "shop", "user": "oABCDE…", "msg_type": "text", "rule": "second", "outcome": "reply",
		"error": "rule out of range: an expression of its reply failed on this message\n" +
			"rule no number: an expression of its reply failed on this message\n" +
			"rule not a text: an expression of its reply returned a *wechatv1.Text, expected a text or a number\n" +
			"rule no picture: image.media_id: empty, but required",
	}
	if diff := cmp.Diff(want, r.log.line(t)); diff != "" {
		t.Errorf("log line (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"reply": 1, "rule_failed": 4}, r.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestFailingRuleRecovers: the same rule answers the next message that it can answer.
func TestFailingRuleRecovers(t *testing.T) {
	r := startRules(t, failing)
	first := text("x")
	first.MsgId = 0
	if diff := cmp.Diff(says("1"), r.ask(t, first), protocmp.Transform()); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	without := message("image")
	if got := r.ask(t, without); got != nil {
		t.Errorf("got %v for a picture without a media id, want none", got)
	}
	if diff := cmp.Diff(map[string]float64{"reply": 1, "no_rule": 1, "rule_failed": 1}, r.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestLogLine: one line per message, with the rule and the outcome, without the text and the whole openid.
func TestLogLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		msg  *wechatv1.Message
		want map[string]any
	}{
		{"reply", text("hi"), map[string]any{"msg_type": "text", "rule": "any", "outcome": "reply"}},
		{"silent", event("unsubscribe", "key"), map[string]any{"msg_type": "event", "event": "unsubscribe", "rule": "quiet", "outcome": "silent"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, "rules/testdata/good/match.yaml")
			r.ask(t, tt.msg)
			maps.Copy(tt.want, map[string]any{
				"level": "INFO", "msg": "rpc", "method": "/replier.v1.ReplierService/Reply", "code": "OK", "account": "shop", "user": "oABCDE…",
			})
			if diff := cmp.Diff(tt.want, r.log.line(t)); diff != "" {
				t.Errorf("log line (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNewBadRules: a bad file stops the start before an address is bound.
func TestNewBadRules(t *testing.T) {
	s, err := newServer(Config{Listen: "no address", Rules: "rules/testdata/bad/empty.yaml"})
	if s != nil || err == nil || err.Error() != "rules/testdata/bad/empty.yaml:1:1: the file is empty" {
		t.Errorf("got %v, %v", s, err)
	}
}
