package sender

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wxgate/internal/wechat"
)

const (
	head      = "<xml><ToUserName><![CDATA[" + User + "]]></ToUserName><FromUserName><![CDATA[" + account + "]]></FromUserName><CreateTime>1767225601</CreateTime>"
	replyText = head + "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content></xml>"
)

// as makes a reply of a MsgType.
func as(kind, rest string) string {
	return head + "<MsgType><![CDATA[" + kind + "]]></MsgType>" + rest + "</xml>"
}

// articles makes n items and says that there are count.
func articles(count string, n int) string {
	return as("news", "<ArticleCount>"+count+"</ArticleCount><Articles>"+
		strings.Repeat("<item><Title>t</Title><Description>d</Description><PicUrl>p</PicUrl><Url>u</Url></item>", n)+"</Articles>")
}

// TestSamples: what others' services send is accepted in every mode that takes it, plain and sealed.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("../../internal/wechat/testdata/samples/replies/*")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		mode := Plain
		if name == "envelope.xml" {
			mode = Safe
		}
		acc := testAccount(mode)
		_, cipher, err := acc.newCipher()
		if err != nil {
			t.Fatal(err)
		}
		j := &judge{account: &acc, mode: mode, cipher: cipher,
			callback: Callback{To: account, From: "oGateway0000000000000000001", MsgType: "event"}}
		said := j.judgeBody(body)
		if len(j.refused) > 0 {
			t.Errorf("%s: %q", name, j.refused)
		}
		if empty := name == "empty.txt" || name == "success.txt"; (said == nil) != empty || (len(j.fields) == 0) != empty {
			t.Errorf("%s: %q, %v", name, said, j.fields)
		}
	}
}

func TestSendFields(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		want         []Field
	}{
		{"text", as("text", "<Content><![CDATA[\n a]]]]><![CDATA[>b ]]></Content>"), []Field{{"MsgType", "text"}, {"Content", "\n a]]>b "}}},
		{"declaration, newlines", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + strings.ReplaceAll(replyText, "><C", ">\n  <C") + "\n",
			[]Field{{"MsgType", "text"}, {"Content", "你好"}}},
		{"image", as("image", "<Image><MediaId>m</MediaId></Image>"), []Field{{"MsgType", "image"}, {"Image.MediaId", "m"}}},
		{"music", as("music", "<Music><ThumbMediaId>m</ThumbMediaId><HQMusicUrl>h</HQMusicUrl></Music>"),
			[]Field{{"MsgType", "music"}, {"Music.ThumbMediaId", "m"}, {"Music.HQMusicUrl", "h"}}},
		{"news", articles("1", 1), []Field{{"MsgType", "news"}, {"ArticleCount", "1"}, {"Articles[0].Title", "t"},
			{"Articles[0].Description", "d"}, {"Articles[0].PicUrl", "p"}, {"Articles[0].Url", "u"}}},
		{"transfer", as("transfer_customer_service", ""), []Field{{"MsgType", "transfer_customer_service"}}},
		{"transfer to one", as("transfer_customer_service", "<TransInfo><KfAccount>k@a</KfAccount></TransInfo>"),
			[]Field{{"MsgType", "transfer_customer_service"}, {"TransInfo.KfAccount", "k@a"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, mode := range []Mode{Plain, Compat, Safe} {
				acc := testAccount(mode)
				answer := test.answer
				if mode == Safe {
					answer = seal(t, acc, answer)
				}
				at, _ := gateway(t, 200, fixed(answer))
				r, err := (&Sender{URL: at, Account: acc}).Send(t.Context(), compose(t, "text", "hi"))
				if err != nil {
					t.Fatal(err)
				}
				want := &Result{Status: 200, Took: r.Took, Body: []byte(answer), XML: []byte(test.answer), Fields: test.want}
				if diff := cmp.Diff(want, r, cmpopts.IgnoreUnexported(Result{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", mode, diff)
				}
			}
		})
	}
}

// seal wraps a reply into the account's envelope.
func seal(t *testing.T, acc Account, reply string) string {
	t.Helper()
	c, err := wechat.NewCipher(acc.AESKey, acc.AppID)
	if err != nil {
		t.Fatal(err)
	}
	return string(c.SealReply(acc.Token, []byte(reply), 1767225601, "42"))
}

func TestSendRefused(t *testing.T) {
	other := testAccount(Safe)
	other.AppID = "wx0000000000000002"
	forged := testAccount(Safe)
	forged.Token = "other"
	acc := testAccount(Safe)
	sealed := seal(t, acc, replyText)
	swap := func(s, old, now string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%q is not in the reply", old)
		}
		return strings.ReplaceAll(s, old, now)
	}
	for _, test := range []struct {
		name   string
		mode   Mode
		answer string
		want   []string
	}{
		// What is no reply at all.
		{"success with a newline", Plain, "success\n", []string{"the answer is not exactly success: lower case, without blanks, newline or quotes"}},
		{"SUCCESS", Plain, "SUCCESS", []string{"the answer is not exactly success: lower case, without blanks, newline or quotes"}},
		{"success as JSON", Plain, `"success"`, []string{"the answer is not exactly success: lower case, without blanks, newline or quotes"}},
		{"blank", Plain, " \n", []string{"the answer is blank: it must be XML, success, or have no byte at all"}},
		{"JSON", Plain, `{"errcode":0}`, []string{"the answer is JSON; official accounts take XML only"}},
		{"words", Plain, "Sign error.", []string{"the answer is neither XML nor success nor empty"}},
		{"HTML", Plain, "<html><body><br>Internal Server Error</html>", []string{"the answer is an HTML page"}},
		{"HTML with a DOCTYPE", Plain, "<!doctype html><p>", []string{"the answer has a DOCTYPE"}},
		{"longer than 1 MiB", Plain, strings.Repeat(" ", maxAnswer+1), []string{"the answer is longer than 1 MiB"}},
		// What is no XML that WeChat reads.
		{"BOM", Plain, "\xEF\xBB\xBF" + replyText, []string{"the answer begins with a byte order mark"}},
		{"notice in front", Plain, "Notice: undefined index\n" + replyText, []string{"text stands before the answer's <xml>"}},
		{"text after", Plain, replyText + "ok", []string{"text stands outside of the answer's <xml>"}},
		{"two roots", Plain, replyText + replyText, []string{"the answer has more than one root element"}},
		{"late declaration", Plain, "\n<?xml version=\"1.0\"?>" + replyText, []string{"the answer has a processing instruction; at most an XML declaration may stand at its start"}},
		{"DOCTYPE", Plain, "<!DOCTYPE xml>" + replyText, []string{"the answer has a DOCTYPE"}},
		{"control character", Plain, swap(replyText, "你好", "a\x08"), []string{"the answer is not well-formed XML: XML syntax error on line 1: illegal character code U+0008"}},
		{"end tag missing", Plain, "<xml><ToUserName>", []string{"the answer is not well-formed XML: XML syntax error on line 1: unexpected EOF"}},
		{"unknown root", Plain, swap(replyText, "xml>", "reply>"), []string{"the answer's root element is <reply>, not <xml>"}},
		{"root of a namespace", Plain, "<a:xml></a:xml>", []string{"the answer's root element is <a:xml>, not <xml>"}},
		{"comment only", Plain, "<!-- -->", []string{"the answer has no element <xml>"}},
		{"nested", Plain, strings.Repeat("<xml>", 9), []string{"the answer's elements are nested deeper than 8"}},
		{"text between", Plain, swap(replyText, "<MsgType>", "x<MsgType>"), []string{"text stands between the elements of <xml>"}},
		// The common children.
		{"nothing in it", Plain, "<xml></xml>", []string{"ToUserName is missing", "FromUserName is missing", "CreateTime is missing", "MsgType is missing"}},
		{"swapped", Plain, swap(swap(swap(replyText, User, "?"), account, User), "?", account), []string{"ToUserName and FromUserName are swapped: a reply goes to the user, from the account"}},
		{"AppID", Plain, swap(replyText, account, acc.AppID), []string{"FromUserName is the AppID; it must be the account's original id, the callback's ToUserName"}},
		{"other account, other user", Plain, swap(swap(replyText, account, "gh_x"), User, "o"), []string{
			"ToUserName is not the user's openid, the callback's FromUserName", "FromUserName is not the account's original id, the callback's ToUserName"}},
		{"twice", Plain, swap(replyText, "<MsgType>", "<ToUserName>x</ToUserName><MsgType>"), []string{"ToUserName occurs twice"}},
		{"case", Plain, swap(replyText, "MsgType>", "msgtype>"), []string{"MsgType is written <msgtype>; the case counts"}},
		{"empty", Plain, swap(replyText, User, ""), []string{"ToUserName is empty"}},
		{"elements for text", Plain, swap(replyText, "1767225601", "<a/>"), []string{"CreateTime holds elements, not text"}},
		{"milliseconds", Plain, swap(replyText, "1767225601", "1767225601000"), []string{"CreateTime is in milliseconds; it must be in seconds"}},
		{"fraction", Plain, swap(replyText, "1767225601", "1767225601.5"), []string{"CreateTime is not an integer"}},
		{"negative", Plain, swap(replyText, "1767225601", "-5"), []string{"CreateTime is not an integer"}},
		{"blanks around CDATA", Plain, swap(replyText, "<MsgType><![CDATA[text]]>", "<MsgType>\n<![CDATA[text]]>\n"), []string{"MsgType has blanks around its CDATA", `MsgType is "\ntext\n", which is not one of the seven passive replies`}},
		{"blanks around Content", Plain, swap(replyText, "<Content>", "<Content> "), []string{"Content has blanks around its CDATA"}},
		{"blanks in a number", Plain, swap(replyText, "1767225601", " 1767225601"), []string{"CreateTime begins or ends with a blank"}},
		{"unknown MsgType", Plain, swap(replyText, "[text]", "[sticker]"), []string{`MsgType is "sticker", which is not one of the seven passive replies`}},
		// What each MsgType needs.
		{"empty Content", Plain, swap(replyText, "你好", ""), []string{"Content is empty"}},
		{"no Content", Plain, as("text", ""), []string{"Content is missing"}},
		{"2049 bytes", Plain, swap(replyText, "你好", strings.Repeat("a", 2049)), []string{"Content has 2049 bytes; 2048 are the most"}},
		{"2048 bytes", Plain, swap(replyText, "你好", strings.Repeat("a", 2048)), nil},
		{"no Image", Plain, as("image", "<MediaId>m</MediaId>"), []string{"Image is missing"}},
		{"no MediaId", Plain, as("voice", "<Voice></Voice>"), []string{"Voice.MediaId is missing"}},
		{"misspelt MediaId", Plain, as("video", "<Video><MediaID>m</MediaID></Video>"), []string{"Video.MediaId is written <MediaID>; the case counts"}},
		{"no cover", Plain, as("music", "<Music><Title>t</Title></Music>"), []string{"Music.ThumbMediaId is missing"}},
		{"misspelt agent", Plain, as("transfer_customer_service", "<TransInfo><kfaccount>k</kfaccount></TransInfo>"), []string{"TransInfo.KfAccount is written <kfaccount>; the case counts"}},
		{"no articles", Plain, as("news", ""), []string{"ArticleCount is missing", "Articles is missing"}},
		{"empty articles", Plain, articles("0", 0), []string{"Articles holds no <item>"}},
		{"wrong count", Plain, articles("2", 1), []string{"ArticleCount is not the number of items, which is 1"}},
		{"article without Url", Plain, swap(articles("1", 1), "<Url>u</Url>", "<URL>u</URL>"), []string{"Articles[0].Url is written <URL>; the case counts"}},
		{"article without Title", Plain, swap(articles("1", 1), "<Title>t", "<Title>"), []string{"Articles[0].Title is empty"}},
		// The envelope.
		{"plain in safe mode", Safe, replyText, []string{"the reply is plain XML; in safe mode it must be sealed"}},
		{"sealed in plain mode", Plain, sealed, []string{"the reply is sealed; in plain mode it must be plain XML"}},
		{"sealed in compat mode", Compat, sealed, nil},
		{"sealed success", Safe, seal(t, acc, "success"), []string{"the envelope holds no reply: success and the empty answer are never sealed"}},
		{"sealed nothing", Safe, seal(t, acc, ""), []string{"the envelope holds no reply: success and the empty answer are never sealed"}},
		{"sealed JSON", Safe, seal(t, acc, "{}"), []string{"in the envelope: the answer is JSON; official accounts take XML only"}},
		{"sealed fault", Safe, seal(t, acc, swap(replyText, "你好", "")), []string{"Content is empty"}},
		{"Timestamp", Safe, swap(sealed, "TimeStamp>", "Timestamp>"), []string{"the envelope's TimeStamp is written <Timestamp>; the case counts"}},
		{"encrypt", Safe, swap(sealed, "Encrypt>", "encrypt>"), []string{"the envelope's Encrypt is written <encrypt>; the case counts"}},
		{"no Nonce", Safe, swap(sealed, "<Nonce><![CDATA[42]]></Nonce>", ""), []string{"the envelope's Nonce is missing"}},
		{"ToUserName outside", Safe, swap(sealed, "<Nonce>", "<ToUserName>x</ToUserName><Nonce>"), []string{"the envelope must not hold <ToUserName>"}},
		{"blanks in the envelope", Safe, swap(sealed, "<Nonce>", "<Nonce>\n"), []string{"the envelope's Nonce has blanks around its CDATA"}},
		{"other token", Safe, seal(t, forged, replyText), []string{"the envelope's MsgSignature is not that of the token with its own TimeStamp, Nonce and Encrypt"}},
		{"other nonce", Safe, swap(sealed, "[42]", "[43]"), []string{"the envelope's MsgSignature is not that of the token with its own TimeStamp, Nonce and Encrypt"}},
		{"other AppID", Safe, seal(t, other, replyText), []string{"the envelope does not open with the account's key and AppID: the envelope is for another AppID (-40005)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, _ := gateway(t, 200, fixed(test.answer))
			s := &Sender{URL: at, Account: testAccount(test.mode)}
			r, err := s.Send(t.Context(), compose(t, "text", "hi"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.Refused); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(r.Body) > maxAnswer || !strings.HasPrefix(test.answer, string(r.Body)) {
				t.Error("Body is not what was received")
			}
		})
	}
}

// TestFindingsAcceptedAndNotShown: what WeChat takes, and does not show as it is meant, is a warning and no refusal.
func TestFindingsAcceptedAndNotShown(t *testing.T) {
	titles := articles("1", 1)
	for _, rest := range []string{"<Description>d</Description>", "<PicUrl>p</PicUrl>", "<Url>u</Url>"} {
		titles = strings.Replace(titles, rest, "", 1)
	}
	hidden := func(event string) []string {
		return []string{"accepted, but not shown: WeChat shows no answer to " + event}
	}
	for _, test := range []struct {
		name, answer string
		kind         []string
		fields       int // of the reply
		warnings     []string
		hidden       bool
	}{
		{"two articles for a text", articles("2", 2), []string{"text", "hi"}, 6, []string{"2 articles in the answer to a user's message; WeChat shows the first, and drops the others"}, false},
		{"nine articles for a text", articles("9", 9), []string{"text", "hi"}, 6, []string{"9 articles in the answer to a user's message; WeChat shows the first, and drops the others"}, false},
		{"nine articles for an event", articles("9", 9), []string{"event", "CLICK", "k"}, 34, []string{"9 articles; WeChat shows the first 8, and drops the others"}, false},
		{"eight articles for an event", articles("8", 8), []string{"event", "CLICK", "k"}, 34, nil, false},
		{"an article with a title alone", titles, []string{"text", "hi"}, 3, nil, false},
		{"a text of blanks", as("text", "<Content> \n </Content>"), []string{"text", "hi"}, 2, []string{"Content is nothing but blanks; WeChat may take it for an empty one, which it refuses"}, false},
		{"VIEW", replyText, []string{"event", "view", "https://example.com/"}, 2, hidden("VIEW"), true},
		{"unsubscribe", replyText, []string{"event", "unsubscribe"}, 2, hidden("unsubscribe"), true},
		{"a job's result", replyText, []string{"event", "templatesendjobfinish"}, 2, hidden("templatesendjobfinish"), true},
		{"a session", replyText, []string{"event", "kf_close_session"}, 2, hidden("kf_close_session"), true},
		{"VIEW that nothing is said to", "success", []string{"event", "VIEW", "https://example.com/"}, 0, nil, false},
		{"subscribe", replyText, []string{"event", "subscribe"}, 2, nil, false},
		{"SCAN", replyText, []string{"event", "SCAN", "k"}, 2, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, _ := gateway(t, 200, fixed(test.answer))
			r, err := (&Sender{URL: at, Account: testAccount(Plain)}).Send(t.Context(), compose(t, test.kind[0], test.kind[1:]...))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Refused) > 0 || len(r.Fields) != test.fields || r.Hidden != test.hidden {
				t.Errorf("refused %q, hidden %t, fields %v; want %d", r.Refused, r.Hidden, r.Fields, test.fields)
			}
			if diff := cmp.Diff(test.warnings, r.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSendStatus(t *testing.T) {
	for _, status := range []int{201, 204, 302, 403, 500} {
		at, _ := gateway(t, status, fixed(""))
		r, err := (&Sender{URL: at, Account: testAccount(Plain)}).Send(t.Context(), compose(t, "text", "hi"))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{fmt.Sprintf("the status is %d, not 200", status)}
		if status == 403 { // what a gateway answers to a wrong signature
			want[0] += ": check the token"
		}
		if diff := cmp.Diff(want, r.Refused); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestSendFollowsNoRedirect(t *testing.T) {
	other, got := gateway(t, 200, fixed("success"))
	srv := httptest.NewServer(http.RedirectHandler(other, http.StatusTemporaryRedirect))
	t.Cleanup(srv.Close)
	for _, client := range []*http.Client{nil, srv.Client()} {
		s := &Sender{URL: srv.URL, Account: testAccount(Plain), Client: client}
		r, err := s.Send(t.Context(), compose(t, "text", "hi"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"the status is 307, not 200"}, r.Refused); diff != "" || got.method != "" {
			t.Errorf("followed: %v (-want +got):\n%s", got.method != "", diff)
		}
	}
}

func TestNewsForEvents(t *testing.T) {
	at, _ := gateway(t, 200, fixed(articles("8", 8)))
	r, err := (&Sender{URL: at, Account: testAccount(Plain)}).Send(t.Context(), compose(t, "event", "CLICK", "k"))
	if err != nil || len(r.Refused) > 0 || len(r.Fields) != 2+8*4 {
		t.Errorf("%+v, %v", r, err)
	}
}

func FuzzCheckReply(f *testing.F) {
	for _, s := range []string{"", "success", replyText, articles("2", 2), "<xml><Encrypt>a</Encrypt></xml>", "<xml", "<!DOCTYPE a>",
		as("music", "<Music><ThumbMediaId/></Music>"), "\xEF\xBB\xBF{}", "<xml>]]></xml>"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	acc := testAccount(Safe)
	_, cipher, err := acc.newCipher()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, sealed bool) {
		j := &judge{account: &acc, mode: Plain, callback: Callback{To: account, From: User, MsgType: "text"}}
		answer := body
		if sealed {
			j.mode, j.cipher = Safe, cipher
			answer = cipher.SealReply(acc.Token, body, 1, "n")
		}
		said := j.judgeBody(answer)
		if len(j.refused) > 0 {
			return
		}
		silent := !sealed && (len(body) == 0 || string(body) == wechat.Success)
		if silent != (said == nil) || silent != (len(j.fields) == 0) {
			t.Errorf("accepted %q: %q, %v", body, said, j.fields)
		}
		if !silent && (j.fields[0].Name != "MsgType" || !strings.Contains(string(said), "ToUserName")) {
			t.Errorf("accepted %q: %v", body, j.fields)
		}
	})
}
