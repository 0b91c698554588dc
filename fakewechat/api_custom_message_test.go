package fakewechat

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

// text is the body of a customer-service text.
func text(to, content string) string {
	return fmt.Sprintf(`{"touser":%q,"msgtype":"text","text":{"content":%q}}`, to, content)
}

func TestCustomSend(t *testing.T) {
	const openid = "oGateway0000000000000000001" // of the samples
	want := map[string]CustomMessage{
		"text":            {Type: "text", Fields: []sender.Field{{Name: "content", Value: `你好 <a href="https://example.com/?a=1&b=2">链接</a>`}}},
		"text.by_account": {Type: "text", Account: "agent1@gh_sample", Fields: []sender.Field{{Name: "content", Value: "您好"}}},
		"image":           {Type: "image", Fields: []sender.Field{{Name: "media_id", Value: "sampleImageMediaId_01"}}},
		"voice":           {Type: "voice", Fields: []sender.Field{{Name: "media_id", Value: "sampleVoiceMediaId_01"}}},
		"video": {Type: "video", Fields: []sender.Field{{Name: "media_id", Value: "sampleVideoMediaId_01"},
			{Name: "thumb_media_id", Value: "sampleThumbMediaId_01"}, {Name: "title", Value: "标题"}, {Name: "description", Value: "描述"}}},
		"music": {Type: "music", Fields: []sender.Field{{Name: "title", Value: "曲名"}, {Name: "description", Value: "歌手"},
			{Name: "musicurl", Value: "https://example.com/a.mp3"}, {Name: "hqmusicurl", Value: "https://example.com/a-hq.mp3"},
			{Name: "thumb_media_id", Value: "sampleThumbMediaId_01"}}},
		"news": {Type: "news", Fields: []sender.Field{{Name: "articles[0].title", Value: "标题"}, {Name: "articles[0].description", Value: "描述"},
			{Name: "articles[0].url", Value: "https://example.com/1"}, {Name: "articles[0].picurl", Value: "https://example.com/1.jpg"}}},
		"mpnews":        {Type: "mpnews", Fields: []sender.Field{{Name: "media_id", Value: "sampleNewsMediaId_01"}}},
		"mpnewsarticle": {Type: "mpnewsarticle", Fields: []sender.Field{{Name: "article_id", Value: "sampleArticleId"}}},
		"msgmenu": {Type: "msgmenu", Fields: []sender.Field{{Name: "head_content", Value: "请评价"}, {Name: "list[0].id", Value: "101"},
			{Name: "list[0].content", Value: "满意"}, {Name: "list[1].id", Value: "102"}, {Name: "list[1].content", Value: "不满意"}, {Name: "tail_content", Value: "谢谢"}}},
		"wxcard": {Type: "wxcard", Fields: []sender.Field{{Name: "card_id", Value: "pCardSample0000000000000001"}}},
		"miniprogrampage": {Type: "miniprogrampage", Fields: []sender.Field{{Name: "title", Value: "标题"}, {Name: "appid", Value: "wx0000000000000002"},
			{Name: "pagepath", Value: "pages/index/index"}, {Name: "thumb_media_id", Value: "sampleThumbMediaId_01"}}},
	}
	samples, err := filepath.Glob("../internal/wechat/testdata/samples/json/custom_send.*.json")
	if err != nil || len(samples) != len(want) {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	s := newSite(t, Config{})
	for _, file := range samples {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "custom_send."), ".json")
		t.Run(name, func(t *testing.T) {
			s.platform.Did(openid, Wrote)
			s.wantAPI(t, s.with(t, sendPath), string(sample(t, "json/"+filepath.Base(file))), 0)
			sent := s.platform.Sent(openid)
			message := want[name]
			message.At, message.AppID, message.To = s.clock.now(), testAccount(sender.Plain).AppID, openid
			if diff := cmp.Diff(message, sent[len(sent)-1]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			s.clock.advance(time.Second)
		})
	}
	if n := len(s.platform.Sent(openid)); n != len(want) {
		t.Errorf("%d messages were sent, %d kept", len(want), n)
	}
	if got := s.platform.Sent(sender.User); got != nil {
		t.Errorf("another user got %v", got)
	}
}

func TestCustomSendRefused(t *testing.T) {
	s := newSite(t, Config{})
	s.platform.Did(sender.User, Wrote)
	of := func(msgtype, content string) string {
		return `{"touser":"` + sender.User + `","msgtype":"` + msgtype + `","` + msgtype + `":` + content + `}`
	}
	for _, test := range []struct {
		name, body string
		want       int
	}{
		{"escaped <", of("text", `{"content":"\u003ca href='x'>y\u003c/a>"}`), 40033},
		{"escaped in another place", of("text", `{"content":"a","x\u0041":"b"}`), 40033},
		{"escaped after a backslash", of("text", `{"content":"\\\u003c"}`), 40033},
		{"no touser", `{"msgtype":"text","text":{"content":"a"}}`, 40003},
		{"unknown openid", text("oNobody", "a"), 40003},
		{"touser a number", `{"touser":1,"msgtype":"text","text":{"content":"a"}}`, 47001},
		{"no msgtype", `{"touser":"` + sender.User + `","text":{"content":"a"}}`, 40008},
		{"link", of("link", `{"title":"a"}`), 40008},
		{"content of another type", `{"touser":"` + sender.User + `","msgtype":"text","image":{"media_id":"m"}}`, 44004},
		{"content no object", of("text", `"a"`), 47001},
		{"text a number", of("text", `{"content":1}`), 47001},
		{"empty text", of("text", `{"content":""}`), 44004},
		{"null text", of("text", `{"content":null}`), 44004},
		{"long text", text(sender.User, strings.Repeat("a", 2049)), 45002},
		{"no media_id", of("image", `{}`), 40007},
		{"no thumb_media_id", of("music", `{"musicurl":"u","hqmusicurl":"u"}`), 40007},
		{"no musicurl", of("music", `{"hqmusicurl":"u","thumb_media_id":"m"}`), 40035},
		{"no card_id", of("wxcard", `{}`), 40035},
		{"no article", of("news", `{"articles":[]}`), 44003},
		{"two articles", of("news", `{"articles":[{"title":"a"},{"title":"b"}]}`), 45008},
		{"articles no list", of("news", `{"articles":{"title":"a"}}`), 47001},
		{"no list", of("msgmenu", `{"head_content":"a"}`), 40035},
		{"an item without an id", of("msgmenu", `{"list":[{"id":"1","content":"a"},{"content":"b"}]}`), 40035},
		{"kf_account a number", `{"touser":"` + sender.User + `","msgtype":"text","text":{"content":"a"},"customservice":{"kf_account":1}}`, 47001},
	} {
		t.Run(test.name, func(t *testing.T) { s.wantAPI(t, s.with(t, sendPath), test.body, test.want) })
	}
	if got := s.platform.Sent(sender.User); got != nil {
		t.Errorf("got through: %v", got)
	}
	for _, fine := range []string{
		text(sender.User, strings.Repeat("a", 2048)),
		of("text", `{"content":"a\\u003cb \"\n\t"}`), // a backslash and a letter
		of("text", `{"content":"a"},"unknown":{"x":1}`),
		of("video", `{"media_id":"m","title":null}`),
	} {
		s.wantAPI(t, s.with(t, sendPath), fine, 0)
	}
	if got, want := s.platform.Sent(sender.User)[1].Fields[0].Value, `a\u003cb "`+"\n\t"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSentIsBoundedAndACopy(t *testing.T) {
	s := newSite(t, Config{})
	s.platform.Did(sender.User, Paid) // any number of messages
	path := s.with(t, sendPath)
	for i := range maxSent + 2 {
		s.api(t, path, text(sender.User, fmt.Sprint(i)))
	}
	got := s.platform.Sent(sender.User)
	if len(got) != maxSent || got[0].Fields[0].Value != "2" || got[maxSent-1].Fields[0].Value != fmt.Sprint(maxSent+1) {
		t.Errorf("%d kept, from %v to %v", len(got), got[0], got[len(got)-1])
	}
	got[0].Fields[0].Value = "changed"
	if again := s.platform.Sent(sender.User)[0].Fields[0].Value; again != "2" {
		t.Errorf("a caller changed a message to %q", again)
	}
}

func TestCustomTyping(t *testing.T) {
	s := newSite(t, Config{})
	on, off := `{"touser":"`+sender.User+`","command":"Typing"}`, `{"touser":"`+sender.User+`","command":"CancelTyping"}`
	typing := func(body string, want int) {
		t.Helper()
		s.wantAPI(t, s.with(t, typingPath), body, want)
	}
	typing(`{"command":"Typing"}`, 40003)
	typing(strings.Replace(on, sender.User, "oNobody", 1), 40003)
	typing(strings.Replace(on, `"Typing"`, `"typing"`, 1), 45072)
	typing(strings.Replace(on, `"Typing"`, `1`, 1), 47001)
	typing(on, 45015)
	s.platform.Did(sender.User, Wrote)
	typing(off, 0)
	typing(on, 0)
	typing(on, 45081)
	typing(off, 0)
	typing(on, 0)
	s.wantAPI(t, s.with(t, sendPath), text(sender.User, "a"), 0)
	typing(on, 0) // the message ended it
	s.clock.advance(15*time.Second - 1)
	typing(on, 45081)
	s.clock.advance(1)
	typing(on, 0)
	s.clock.advance(15 * time.Second) // 30 s after the message
	typing(on, 0)
	s.clock.advance(1)
	typing(on, 45080)
	typing(off, 0)
	s.wantAPI(t, s.with(t, sendPath), text(sender.User, "a"), 0)
	typing(on, 0) // after a message of the account's own
	s.platform.Did(sender.User, Unfollowed)
	typing(on, 45015)
}

// TestOnSent: each message that arrives is told of, and no other.
func TestOnSent(t *testing.T) {
	var got []CustomMessage
	s := newSite(t, Config{OnSent: func(m CustomMessage) { got = append(got, m) }})
	s.platform.Did(sender.User, Wrote)
	path := s.with(t, sendPath)
	for _, content := range []string{"a", "b"} {
		s.wantAPI(t, path, text(sender.User, content), 0)
	}
	s.wantAPI(t, path, text("oNobody", "c"), 40003)
	s.wantAPI(t, path, text(sender.User, ""), 44004)
	if diff := cmp.Diff(s.platform.Sent(sender.User), got); diff != "" || len(got) != 2 {
		t.Errorf("%d messages (-arrived +told):\n%s", len(got), diff)
	}
}
