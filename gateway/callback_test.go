package gateway

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

var modes = []accounts.Mode{accounts.Plain, accounts.Compat, accounts.Safe}

// textMessage is textXML(testText) as a bot of that account sees it.
func textMessage(account string) *wechatv1.Message {
	return &wechatv1.Message{Account: account, ToUserName: testAccount, FromUserName: testUser, CreateTime: 1767225600,
		MsgType: "text", MsgId: 24817263549081736, Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: testText}}}
}

// expect checks status, body and type of an answer.
func (a answer) expect(t testing.TB, status int, body string) {
	t.Helper()
	type seen struct {
		Status              int
		Body, Type, Sniffed string
	}
	want := seen{status, body, "text/plain; charset=utf-8", "nosniff"}
	got := seen{a.Status, a.Body, a.Header.Get("Content-Type"), a.Header.Get("X-Content-Type-Options")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestVerifyGivesEchostrBack(t *testing.T) {
	f := start(t, nil)
	echoes := []string{"5931462816745823487", "<script>alert(1)</script>", "a b+c&d=e%25;", "你好😀", "\x00\x01\t\r\n\"'", "\xff\xfe", "]]>", strings.Repeat("e", 512)}
	paths := []string{"/", "/wechat/plain", "/wechat/compat", "/wechat/safe"}
	for _, path := range paths {
		for _, echo := range echoes {
			q := own.query(now())
			q.Set("echostr", echo)
			f.do(t, "GET", f.public+path+"?"+q.Encode(), nil).expect(t, 200, echo)
		}
	}
	if got := f.bot.heard(); len(got) != 0 {
		t.Errorf("the replier was asked about %v", got)
	}
	f.stop()
	if diff := cmp.Diff(map[string]int{"verified": len(paths) * len(echoes)}, f.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestMessageReachesTheReplier(t *testing.T) {
	f := start(t, nil)
	for _, mode := range modes {
		f.post(t, own.of(mode, textXML(testText))).expect(t, 200, "success")
	}
	root := own.plain("/", textXML(testText))
	f.post(t, root).expect(t, 200, "success")
	want := []*wechatv1.Message{textMessage("plain"), textMessage("compat"), textMessage("safe"), textMessage("plain")}
	if diff := cmp.Diff(want, f.bot.heard(), protocmp.Transform()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// The sealed half of a compatible-mode body is what counts: the plain half is not signed.
func TestSealedHalfCounts(t *testing.T) {
	f := start(t, nil)
	encrypt := own.seal(textXML(testText))
	forged := compatBody(textXML("forged"), encrypt)
	f.post(t, callback{"/wechat/compat", own.sealedQuery(now(), encrypt).Encode(), forged}).expect(t, 200, "success")
	if diff := cmp.Diff([]*wechatv1.Message{textMessage("compat")}, f.bot.heard(), protocmp.Transform()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// No parameter but the signed ones says who the user is.
func TestOpenidOfTheQueryIsIgnored(t *testing.T) {
	f := start(t, nil)
	for _, openids := range [][]string{{"oSomebodyElse"}, {"a", "b"}, {""}} {
		q := own.query(now())
		q["openid"] = openids
		f.post(t, callback{"/", q.Encode(), textXML(testText)}).expect(t, 200, "success")
	}
	want := []*wechatv1.Message{textMessage("plain"), textMessage("plain"), textMessage("plain")}
	if diff := cmp.Diff(want, f.bot.heard(), protocmp.Transform()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestModes(t *testing.T) {
	f := start(t, nil)
	message := textXML(testText)
	encrypt := own.seal(message)
	raw := own.query(now())
	raw.Set("encrypt_type", "raw")
	plain, sealed := own.query(now()).Encode(), own.sealedQuery(now(), encrypt).Encode()
	tests := []struct {
		name, query, body   string
		plain, compat, safe int
	}{
		{"plain", plain, message, 200, 403, 403},
		{"plain, encrypt_type=raw", raw.Encode(), message, 200, 403, 403},
		{"sealed", sealed, safeBody(encrypt), 403, 200, 200},
		{"both halves", sealed, compatBody(message, encrypt), 403, 200, 200},
		{"sealed, without encrypt_type", plain, safeBody(encrypt), 403, 403, 403},
		{"both halves, without encrypt_type", plain, compatBody(message, encrypt), 403, 403, 403},
		{"both halves, encrypt_type=raw", raw.Encode(), compatBody(message, encrypt), 403, 403, 403},
		{"plain body, encrypt_type=aes", own.sealedQuery(now(), message).Encode(), message, 403, 403, 403},
		{"an empty envelope", own.sealedQuery(now(), "").Encode(), safeBody(""), 403, 403, 403},
	}
	for _, test := range tests {
		for mode, want := range map[accounts.Mode]int{accounts.Plain: test.plain, accounts.Compat: test.compat, accounts.Safe: test.safe} {
			t.Run(test.name+" for "+string(mode), func(t *testing.T) {
				before := len(f.bot.heard())
				body, asked := "Forbidden\n", 0
				if want == 200 {
					body, asked = "success", 1
				}
				f.post(t, callback{"/wechat/" + string(mode), test.query, test.body}).expect(t, want, body)
				if got := len(f.bot.heard()) - before; got != asked {
					t.Errorf("the replier was asked %d times, want %d", got, asked)
				}
			})
		}
	}
}

// vectorAccounts returns a change that makes an account out of each vector, named by its number.
func vectorAccounts(all []vector) func(*Config) {
	return func(cfg *Config) {
		cfg.MaxSkew = 0 // they are old
		cfg.Accounts.List = nil
		for i, v := range all {
			cfg.Accounts.List = append(cfg.Accounts.List, accounts.Account{Name: strconv.Itoa(i), AppID: v.AppID, Token: service.Secret(v.Token), AESKey: service.Secret(v.Key), Mode: accounts.Safe})
		}
	}
}

// What others' code sealed and signed is taken: our own could share a mistake with the gateway.
func TestForeignVectors(t *testing.T) {
	good, _, plain := vectors(t)
	f := start(t, vectorAccounts(good))
	for i, v := range good {
		t.Run(v.Name, func(t *testing.T) {
			before := len(f.bot.heard())
			got := f.post(t, v.callback("/wechat/"+strconv.Itoa(i)))
			heard := f.bot.heard()[before:]
			if !strings.HasPrefix(v.Plaintext, "<xml>") { // opened well, but no message
				if got.Status != 400 || len(heard) != 0 {
					t.Errorf("status %d, the replier was asked %d times", got.Status, len(heard))
				}
				return
			}
			got.expect(t, 200, "success")
			if len(heard) != 1 || heard[0].GetFromUserName() == "" || !strings.Contains(v.Plaintext, heard[0].GetFromUserName()) {
				t.Errorf("the replier heard %v", heard)
			}
		})
	}
	v := plain[0]
	f = start(t, func(cfg *Config) {
		cfg.MaxSkew = 0
		cfg.Accounts.List = []accounts.Account{{Name: "main", Token: service.Secret(v.Token), Mode: accounts.Plain}}
	})
	q := url.Values{"signature": {v.Signature}, "timestamp": {v.Timestamp}, "nonce": {v.Nonce}}
	f.post(t, callback{"/", q.Encode(), textXML(testText)}).expect(t, 200, "success")
}

// Every recorded callback gets through, plain and sealed.
func TestCorpus(t *testing.T) {
	f := start(t, nil)
	files, err := filepath.Glob(filepath.Join("..", "internal", "wechat", "testdata", "samples", "inbound", "*.xml"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d samples: %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "envelope.") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before := len(f.bot.heard())
			f.post(t, own.of(accounts.Plain, string(body))).expect(t, 200, "success")
			f.post(t, own.of(accounts.Safe, string(body))).expect(t, 200, "success")
			got := f.bot.heard()[before:]
			if len(got) != 2 {
				t.Fatalf("the replier was asked %d times, want 2", len(got))
			}
			for _, msg := range got {
				msg.Account, msg.ContentHash = "", "" // one covers the other
			}
			if diff := cmp.Diff(got[0], got[1], protocmp.Transform()); diff != "" {
				t.Errorf("a sealed message is another than a plain one (-plain +sealed):\n%s", diff)
			}
		})
	}
}

func TestUnknownKindsReachTheReplier(t *testing.T) {
	f := start(t, nil)
	head := "<xml><FromUserName>" + testUser + "</FromUserName>"
	f.post(t, own.plain("/", head+"<MsgType>hologram</MsgType><Depth>3</Depth></xml>")).expect(t, 200, "success")
	f.post(t, own.plain("/", head+"<MsgType>event</MsgType><Event>eclipse</Event></xml>")).expect(t, 200, "success")
	want := []*wechatv1.Message{
		{Account: "plain", FromUserName: testUser, MsgType: "hologram", Content: &wechatv1.Message_Unknown{Unknown: &wechatv1.Unknown{}},
			Extra: []*wechatv1.Element{{Name: "Depth", Text: "3"}}},
		{Account: "plain", FromUserName: testUser, MsgType: "event", Content: &wechatv1.Message_Event{Event: &wechatv1.Event{
			Event: "eclipse", Kind: &wechatv1.Event_Unknown{Unknown: &wechatv1.UnknownEvent{}}}}},
	}
	if diff := cmp.Diff(want, f.bot.heard(), protocmp.Transform()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestUnknownAccount(t *testing.T) {
	f := start(t, nil)
	for _, path := range []string{"/wechat/nobody", "/wechat/nobody/", "/wechat/", "/wechat", "/other", "/wechat/%2e%2e"} {
		got := f.do(t, "POST", f.public+path+"?"+own.query(now()).Encode(), strings.NewReader(textXML(testText)))
		if got.Status != 404 {
			t.Errorf("%s: status %d, want 404", path, got.Status)
		}
	}
	if got := f.bot.heard(); len(got) != 0 {
		t.Errorf("the replier was asked about %v", got)
	}
}

// One line per request, with what an operator looks for.
func TestLogLine(t *testing.T) {
	f := start(t, nil)
	got := f.post(t, own.of(accounts.Safe, textXML(testText)))
	f.post(t, callback{"/", "", textXML(testText)})
	lines := f.lines(t, "http")
	for _, l := range lines {
		delete(l, "time")
		if ms, ok := l["ms"].(float64); !ok || ms <= 0 {
			t.Errorf("ms: %v", l["ms"])
		}
		delete(l, "ms")
	}
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: %v", len(lines), lines)
	}
	want := map[string]any{"level": "INFO", "msg": "http", "method": "POST", "path": "/wechat/safe", "status": 200.0,
		"request_id": got.Header.Get("X-Request-Id"), "account": "safe", "user": "oGatew…", "msg_type": "text",
		"msg_id": 24817263549081736.0, "outcome": "silent", "peer": "127.0.0.1"}
	if diff := cmp.Diff(want, lines[0]); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if lines[1]["level"] != "WARN" || lines[1]["outcome"] != "parameter" {
		t.Errorf("the line of a refused callback: %v", lines[1])
	}
	if ids, _ := f.bot.called(); len(ids) != 1 || ids[0] == "" || ids[0] != got.Header.Get("X-Request-Id") {
		t.Errorf("the replier saw request ids %q, the caller %q", ids, got.Header.Get("X-Request-Id"))
	}
}

// TestFindingsContentHashNamesAnEvent: each attempt to send an event has its content_hash, however it was sealed, and no
// other event has it. A user's message has none: it has its MsgId.
func TestFindingsContentHashNamesAnEvent(t *testing.T) {
	f := start(t, nil)
	card := func(code string) string {
		return "<xml><ToUserName>" + testAccount + "</ToUserName><FromUserName>" + testUser + "</FromUserName><CreateTime>1767225600</CreateTime>" +
			"<MsgType>event</MsgType><Event>user_get_card</Event><UserCardCode>" + code + "</UserCardCode></xml>"
	}
	for _, body := range []string{card("1"), card("1"), card("2"), textXML(testText)} {
		f.post(t, own.of(accounts.Safe, body)).expect(t, 200, "success")
	}
	var hashes []string
	for _, msg := range f.bot.heard() {
		hashes = append(hashes, msg.GetContentHash())
	}
	if len(hashes) != 4 || len(hashes[0]) != 32 || hashes[1] != hashes[0] || hashes[2] == hashes[0] || hashes[3] != "" {
		t.Errorf("the hashes are %q", hashes)
	}
}

// TestFindingsLoggedNamesAreBounded: a MsgType or an Event of any length makes a short line.
func TestFindingsLoggedNamesAreBounded(t *testing.T) {
	f := start(t, nil)
	long := strings.Repeat("x", 500_000)
	f.post(t, own.plain("/", "<xml><MsgType>"+long+"</MsgType></xml>")).expect(t, 200, "success")
	f.post(t, own.plain("/", "<xml><MsgType>event</MsgType><Event>"+long+"</Event></xml>")).expect(t, 200, "success")
	lines := f.lines(t, "http")
	want := strings.Repeat("x", service.MaxName) + "…"
	if len(lines) != 2 || lines[0]["msg_type"] != want || lines[1]["event"] != want || len(f.log.String()) > 10_000 {
		t.Errorf("%d lines in %d bytes", len(lines), len(f.log.String()))
	}
}
