package gateway

import (
	"encoding/xml"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/accounts"
	wechatv1 "wxgate/proto/wechat/v1"
)

// createTime is what changes from reply to reply.
var createTime = regexp.MustCompile(`<CreateTime>(\d+)</CreateTime>`)

// timeless returns a reply's XML with CreateTime 0, after checking it.
func timeless(t testing.TB, reply string) string {
	t.Helper()
	found := createTime.FindStringSubmatch(reply)
	if found == nil {
		t.Fatalf("no CreateTime in %s", reply)
	}
	if seconds, _ := strconv.ParseInt(found[1], 10, 64); time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		t.Errorf("CreateTime %s is not now", found[1])
	}
	return createTime.ReplaceAllLiteralString(reply, "<CreateTime>0</CreateTime>")
}

// envelope is a sealed reply as the platform page prints it, names and order included.
var envelope = regexp.MustCompile(`^<xml><Encrypt><!\[CDATA\[([A-Za-z0-9+/=]+)\]\]></Encrypt><MsgSignature><!\[CDATA\[([0-9a-f]{40})\]\]></MsgSignature>` +
	`<TimeStamp>(\d+)</TimeStamp><Nonce><!\[CDATA\[([^]]+)\]\]></Nonce></xml>$`)

// unsealed returns the reply in an envelope, after checking its signature.
func unsealed(t testing.TB, s signer, sealed string) string {
	t.Helper()
	found := envelope.FindStringSubmatch(sealed)
	if found == nil {
		t.Fatalf("not an envelope: %s", sealed)
	}
	if want := s.sign(found[3], found[4], found[1]); found[2] != want {
		t.Errorf("MsgSignature %s, want %s", found[2], want)
	}
	return s.open(t, found[1])
}

func TestReplies(t *testing.T) {
	f := start(t, nil)
	const head = "<xml><ToUserName><![CDATA[" + testUser + "]]></ToUserName><FromUserName><![CDATA[" + testAccount + "]]></FromUserName><CreateTime>0</CreateTime>"
	tests := []struct {
		name  string
		reply *wechatv1.Reply
		want  string // behind head
	}{
		{"text", text("你好\n<a href=\"https://x.example/?a&b\">&amp;</a>"), "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好\n<a href=\"https://x.example/?a&b\">&amp;</a>]]></Content></xml>"},
		{"end of CDATA", text("a]]></Content><Content>b]]>"), "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[a]]]]><![CDATA[></Content><Content>b]]]]><![CDATA[>]]></Content></xml>"},
		{"control characters", text("a\x00\x07b]]\x01>\x1b\uFFFEc"), "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[ab]]]]><![CDATA[>c]]></Content></xml>"},
		{"image", &wechatv1.Reply{Content: &wechatv1.Reply_Image{Image: &wechatv1.ImageReply{MediaId: "m"}}},
			"<MsgType><![CDATA[image]]></MsgType><Image><MediaId><![CDATA[m]]></MediaId></Image></xml>"},
		{"voice", &wechatv1.Reply{Content: &wechatv1.Reply_Voice{Voice: &wechatv1.VoiceReply{MediaId: "m"}}},
			"<MsgType><![CDATA[voice]]></MsgType><Voice><MediaId><![CDATA[m]]></MediaId></Voice></xml>"},
		{"video", &wechatv1.Reply{Content: &wechatv1.Reply_Video{Video: &wechatv1.VideoReply{MediaId: "m", Title: "t", Description: "d"}}},
			"<MsgType><![CDATA[video]]></MsgType><Video><MediaId><![CDATA[m]]></MediaId><Title><![CDATA[t]]></Title><Description><![CDATA[d]]></Description></Video></xml>"},
		{"music", &wechatv1.Reply{Content: &wechatv1.Reply_Music{Music: &wechatv1.MusicReply{Title: "t", Description: "d", MusicUrl: "u", HqMusicUrl: "h", ThumbMediaId: "m"}}},
			"<MsgType><![CDATA[music]]></MsgType><Music><Title><![CDATA[t]]></Title><Description><![CDATA[d]]></Description><MusicUrl><![CDATA[u]]></MusicUrl><HQMusicUrl><![CDATA[h]]></HQMusicUrl><ThumbMediaId><![CDATA[m]]></ThumbMediaId></Music></xml>"},
		{"news", &wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: []*wechatv1.Article{{Title: "t", Description: "d", PicUrl: "p", Url: "u"}}}}},
			"<MsgType><![CDATA[news]]></MsgType><ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[t]]></Title><Description><![CDATA[d]]></Description><PicUrl><![CDATA[p]]></PicUrl><Url><![CDATA[u]]></Url></item></Articles></xml>"},
		{"customer service", &wechatv1.Reply{Content: &wechatv1.Reply_TransferCustomerService{TransferCustomerService: &wechatv1.TransferCustomerServiceReply{KfAccount: "a@b"}}},
			"<MsgType><![CDATA[transfer_customer_service]]></MsgType><TransInfo><KfAccount><![CDATA[a@b]]></KfAccount></TransInfo></xml>"},
	}
	for _, test := range tests {
		f.bot.say(test.reply)
		for _, mode := range modes {
			t.Run(test.name+" "+string(mode), func(t *testing.T) {
				got := f.post(t, own.of(mode, textXML(testText)))
				if got.Status != 200 || got.Header.Get("Content-Type") != "text/xml; charset=utf-8" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%d, %v", got.Status, got.Header)
				}
				reply := got.Body
				if mode != accounts.Plain {
					reply = unsealed(t, own, reply)
				}
				if diff := cmp.Diff(head+test.want, timeless(t, reply)); diff != "" {
					t.Errorf("reply (-want +got):\n%s", diff)
				}
				var parsed struct{ Content string }
				if err := xml.Unmarshal([]byte(reply), &parsed); err != nil {
					t.Errorf("not XML: %v", err)
				}
			})
		}
	}
	f.stop()
	if diff := cmp.Diff(map[string]int{"replied": len(tests) * len(modes)}, f.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// Two sealed replies differ in every random part.
func TestSealedRepliesDiffer(t *testing.T) {
	f := start(t, nil)
	f.bot.say(text("same"))
	one := envelope.FindStringSubmatch(f.post(t, own.of(accounts.Safe, textXML(testText))).Body)
	two := envelope.FindStringSubmatch(f.post(t, own.of(accounts.Safe, textXML(testText))).Body)
	if one == nil || two == nil || one[1] == two[1] || one[4] == two[4] {
		t.Errorf("ciphertexts or nonces are alike:\n%v\n%v", one, two)
	}
}

func TestNothingToSay(t *testing.T) {
	f := start(t, nil)
	replies := map[string]*wechatv1.Reply{"no reply": nil, "no content": {}, "no text": text(""), "no arm": {Content: &wechatv1.Reply_Text{}}, "no character": text("\x00\x01\uFFFF")}
	for name, reply := range replies {
		f.bot.say(reply)
		for _, mode := range modes {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				f.post(t, own.of(mode, textXML(testText))).expect(t, 200, "success")
			})
		}
	}
	f.stop()
	if diff := cmp.Diff(map[string]int{"silent": len(replies) * len(modes)}, f.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// A text that is too long ends at a whole character, and the log tells.
func TestLongTextsAreCut(t *testing.T) {
	for _, test := range []struct {
		max           int
		content, want string // "": success
		cut           bool
	}{
		{0, strings.Repeat("界", 5000), strings.Repeat("界", 5000), false},
		{6, "世界", "世界", false}, {5, "世界", "世", true}, {4, "世界", "世", true}, {3, "世界", "世", true}, {2, "世界", "", true},
		{6, "ab]]>c", "ab]]]]><![CDATA[>c", false}, {5, "😀😀", "😀", true}, {1, "e\u0301", "e", true},
	} {
		f := start(t, func(cfg *Config) { cfg.MaxText = test.max })
		f.bot.say(text(test.content))
		got := f.post(t, own.plain("/", textXML(testText)))
		if want := "<Content><![CDATA[" + test.want + "]]></Content>"; test.want == "" && got.Body != "success" || test.want != "" && !strings.Contains(got.Body, want) {
			t.Errorf("%q cut to %d bytes: %.200s", test.content, test.max, got.Body)
		}
		line := f.lines(t, "http")[0]
		if _, cut := line["cut_to"]; cut != test.cut || cut && line["text_bytes"] != float64(len(test.content)) {
			t.Errorf("%.20q cut to %d bytes: %v", test.content, test.max, line)
		}
	}
}

func TestRepliesThatWeChatRefuses(t *testing.T) {
	for field, reply := range map[string]*wechatv1.Reply{
		"image.media_id": {Content: &wechatv1.Reply_Image{Image: &wechatv1.ImageReply{}}},
		"news.articles":  {Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{}}},
		"articles[0].title": {Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: []*wechatv1.Article{
			{Url: testText, Description: testText, PicUrl: testText}}}}},
	} {
		t.Run(field, func(t *testing.T) {
			f := start(t, nil)
			f.bot.say(reply)
			f.post(t, own.of(accounts.Safe, textXML(testText))).expect(t, 200, "success")
			line := f.lines(t, "http")[0]
			if line["level"] != "ERROR" || line["outcome"] != "reply_refused" || !strings.Contains(line["error"].(string), field) {
				t.Errorf("the line does not name %s: %v", field, line)
			}
		})
	}
}

// A stranger does not choose the request id.
func TestRequestIDIsOurs(t *testing.T) {
	f := start(t, nil)
	c := own.plain("/", textXML(testText))
	got := f.do(t, "POST", f.public+c.path+"?"+c.query, strings.NewReader(c.body), func(r *http.Request) { r.Header.Set("X-Request-Id", "mine") })
	ids, _ := f.bot.called()
	if id := got.Header.Get("X-Request-Id"); id == "mine" || id == "" || len(ids) != 1 || ids[0] != id {
		t.Errorf("the caller sees %q, the replier %q", id, ids)
	}
}
