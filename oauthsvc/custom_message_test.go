package oauthsvc

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	oauthv1 "wxgate/proto/oauth/v1"
)

func text(s string) *oauthv1.CustomMessage {
	return &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Text{Text: s}}
}

// customMessages are the messages of the samples custom_send.*.json.
func customMessages() map[string]*oauthv1.CustomMessage {
	byAgent := text("您好")
	byAgent.KfAccount = "agent1@gh_sample"
	return map[string]*oauthv1.CustomMessage{
		"text":            text(`你好 <a href="https://example.com/?a=1&b=2">链接</a>`),
		"text.by_account": byAgent,
		"image":           {Content: &oauthv1.CustomMessage_Image{Image: "sampleImageMediaId_01"}},
		"voice":           {Content: &oauthv1.CustomMessage_Voice{Voice: "sampleVoiceMediaId_01"}},
		"video": {Content: &oauthv1.CustomMessage_Video{Video: &oauthv1.CustomVideo{
			MediaId: "sampleVideoMediaId_01", ThumbMediaId: "sampleThumbMediaId_01", Title: "标题", Description: "描述"}}},
		"music": {Content: &oauthv1.CustomMessage_Music{Music: &oauthv1.CustomMusic{Title: "曲名", Description: "歌手",
			MusicUrl: "https://example.com/a.mp3", HqMusicUrl: "https://example.com/a-hq.mp3", ThumbMediaId: "sampleThumbMediaId_01"}}},
		"news": {Content: &oauthv1.CustomMessage_News{News: &oauthv1.CustomArticle{
			Title: "标题", Description: "描述", Url: "https://example.com/1", PicUrl: "https://example.com/1.jpg"}}},
		"mpnews":        {Content: &oauthv1.CustomMessage_Mpnews{Mpnews: "sampleNewsMediaId_01"}},
		"mpnewsarticle": {Content: &oauthv1.CustomMessage_Mpnewsarticle{Mpnewsarticle: "sampleArticleId"}},
		"msgmenu": {Content: &oauthv1.CustomMessage_Msgmenu{Msgmenu: &oauthv1.CustomMenu{HeadContent: "请评价", TailContent: "谢谢",
			List: []*oauthv1.CustomMenuItem{{Id: "101", Content: "满意"}, {Id: "102", Content: "不满意"}}}}},
		"wxcard": {Content: &oauthv1.CustomMessage_Wxcard{Wxcard: "pCardSample0000000000000001"}},
		"miniprogrampage": {Content: &oauthv1.CustomMessage_Miniprogrampage{Miniprogrampage: &oauthv1.CustomMiniProgram{
			Title: "标题", AppId: "wx0000000000000002", PagePath: "pages/index/index", ThumbMediaId: "sampleThumbMediaId_01"}}},
	}
}

func TestCustomMessages(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	covered := map[string]bool{}
	for name, message := range customMessages() {
		t.Run(name, func(t *testing.T) {
			covered[string(message.ProtoReflect().WhichOneof(message.ProtoReflect().Descriptor().Oneofs().ByName("content")).Name())] = true
			if _, err := f.SendCustomMessage(t.Context(), &oauthv1.SendCustomMessageRequest{Openid: testOpenID, Message: message}); err != nil {
				t.Fatal(err)
			}
			sent := p.got(sendCall)
			if len(sent) != 1 || !cmp.Equal(sent[0].Query, url.Values{"access_token": {testAccountToken}}) {
				t.Fatalf("sent %v; want it once, with the token alone in the query", sent)
			}
			var got, want any
			if err := json.Unmarshal([]byte(sent[0].Payload), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(sample(t, "custom_send."+name+".json")), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
		})
	}
	arms := (&oauthv1.CustomMessage{}).ProtoReflect().Descriptor().Oneofs().ByName("content").Fields()
	for i := range arms.Len() {
		if name := string(arms.Get(i).Name()); !covered[name] {
			t.Errorf("no test of %s", name)
		}
	}
}

// TestCustomMessageIsRaw: WeChat shows users \u003c as it is.
func TestCustomMessageIsRaw(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	for said, want := range map[string]string{
		`<a href="https://a.cn/?a=1&b=2">链接</a> 😀`: `<a href=\"https://a.cn/?a=1&b=2\">链接</a> 😀`,
		"a\nb\tc\\":        `a\nb\tc\\`,
		"a\u2028b\u2029c":  `a\nb\nc`,
		"a\x01\x08\x1f\fb": `ab`,
	} {
		if _, err := f.SendCustomMessage(t.Context(), &oauthv1.SendCustomMessageRequest{Openid: testOpenID, Message: text(said)}); err != nil {
			t.Fatal(err)
		}
		payload := p.got(sendCall)[0].Payload
		if !strings.Contains(payload, `"content":"`+want+`"`) {
			t.Errorf("%q was sent as %s; want %s in it", said, payload, want)
		}
	}
}

func TestCustomMessageChecks(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	for name, tt := range map[string]struct {
		openid  string
		message *oauthv1.CustomMessage
		field   string
	}{
		"no openid":            {"", text("a"), "openid"},
		"no message":           {"o", nil, "message"},
		"nothing in it":        {"o", &oauthv1.CustomMessage{}, "message"},
		"empty text":           {"o", text(""), "message.text"},
		"image without id":     {"o", &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Image{}}, "message.image"},
		"video without video":  {"o", &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Video{}}, "message.video.media_id"},
		"music without URL":    {"o", &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Music{Music: &oauthv1.CustomMusic{ThumbMediaId: "m"}}}, "message.music.music_url"},
		"news without URL":     {"o", &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_News{News: &oauthv1.CustomArticle{Title: "t"}}}, "message.news.url"},
		"menu without answers": {"o", &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Msgmenu{Msgmenu: &oauthv1.CustomMenu{HeadContent: "h"}}}, "message.msgmenu.list"},
		"menu with an answer that has no id": {"o", &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Msgmenu{Msgmenu: &oauthv1.CustomMenu{
			List: []*oauthv1.CustomMenuItem{{Id: "1", Content: "a"}, {Content: "b"}}}}}, "message.msgmenu.list[1].id"},
		"mini program without page": {"o", &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Miniprogrampage{Miniprogrampage: &oauthv1.CustomMiniProgram{
			Title: "t", AppId: "a", ThumbMediaId: "m"}}}, "message.miniprogrampage.page_path"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.SendCustomMessage(t.Context(), &oauthv1.SendCustomMessageRequest{Openid: tt.openid, Message: tt.message})
			expect(t, err, codes.InvalidArgument, "INVALID_REQUEST")
			expectField(t, err, tt.field)
		})
	}
	p.expectCalls(t)
}

func TestTyping(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	for typing, want := range map[bool]string{true: "custom_typing.json", false: "custom_typing.cancel.json"} {
		if _, err := f.SetTyping(t.Context(), &oauthv1.SetTypingRequest{Openid: testOpenID, Typing: typing}); err != nil {
			t.Fatal(err)
		}
		var got, expected any
		if err := json.Unmarshal([]byte(p.got(typingCall)[0].Payload), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(sample(t, want)), &expected); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("typing %t (-want +got):\n%s", typing, diff)
		}
	}
	_, err := f.SetTyping(t.Context(), &oauthv1.SetTypingRequest{})
	expect(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	expectField(t, err, "openid")
}

func TestCallbackIPsAndQuota(t *testing.T) {
	p := newPlatform()
	p.says(callbackIPCall, sample(t, "getcallbackip.json"))
	p.says(quotaCall, sample(t, "quota_get.json"))
	f := p.serve(t)
	ips, err := f.ListCallbackIps(t.Context(), &oauthv1.ListCallbackIpsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&oauthv1.ListCallbackIpsResponse{Ips: []string{"203.0.113.10", "203.0.113.11", "198.51.100.0/25"}}, ips, protocmp.Transform()); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	quota, err := f.GetQuota(t.Context(), &oauthv1.GetQuotaRequest{CgiPath: "/cgi-bin/message/custom/send"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&oauthv1.GetQuotaResponse{DailyLimit: 500000, Used: 12, Remain: 499988}, quota, protocmp.Transform()); diff != "" {
		t.Errorf("quota (-want +got):\n%s", diff)
	}
	query := url.Values{"access_token": {testAccountToken}}
	want := []asked{tokenAsked(false), {callbackIPCall, query, ""}, {quotaCall, query, `{"cgi_path":"/cgi-bin/message/custom/send"}` + "\n"}}
	if diff := cmp.Diff(want, p.got("")); diff != "" {
		t.Errorf("WeChat was asked (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "cgi-bin/x", "https://api.weixin.qq.com/cgi-bin/x"} {
		_, err := f.GetQuota(t.Context(), &oauthv1.GetQuotaRequest{CgiPath: bad})
		expect(t, err, codes.InvalidArgument, "INVALID_REQUEST")
		expectField(t, err, "cgi_path")
	}
}
