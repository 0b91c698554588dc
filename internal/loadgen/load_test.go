package loadgen

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wxgate/fakewechat/sender"
	"wxgate/internal/wechat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const gh = "gh_0123456789ab"

func testAccount(mode sender.Mode) sender.Account {
	return sender.Account{
		AppID: "wx00000000load0001", Token: "LoadToken01", AESKey: "loadLoadKeyOfTheTestsOfWxgate0123456789ABCD",
		OriginalID: gh, Mode: mode,
	}
}

// config returns a load of 200 texts in a second.
func config(url string) Config {
	return Config{URL: url, Account: testAccount(sender.Plain), Rate: 200, Duration: time.Second, Users: 50, Mix: "text=1", InFlight: 1000}
}

func runLoad(t testing.TB, cfg Config) *Report {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g.Run(t.Context())
}

// got is a callback as a gateway reads it.
type got struct {
	signed                                                             bool
	ToUserName, FromUserName, MsgType, Content, MsgID, EventKey, Label string
}

// gateway answers callbacks of an account by what reply makes of them: "" is success, else the Content of a text.
func gateway(t testing.TB, account sender.Account, reply func(got) string) *httptest.Server {
	t.Helper()
	var cipher *wechat.Cipher
	if account.Mode != sender.Plain {
		var err error
		if cipher, err = wechat.NewCipher(account.AESKey, account.AppID); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		q := r.URL.Query()
		doc, err := wechat.Parse(body)
		if err != nil {
			panic(err)
		}
		signed := wechat.VerifySignature(q.Get("signature"), account.Token, q.Get("timestamp"), q.Get("nonce"))
		if cipher != nil {
			sealed, _ := doc.Text("Encrypt")
			signed = signed && wechat.VerifySignature(q.Get("msg_signature"), account.Token, q.Get("timestamp"), q.Get("nonce"), sealed)
			opened, err := cipher.Open(sealed)
			if err != nil {
				panic(err)
			}
			if doc, err = wechat.Parse(opened); err != nil {
				panic(err)
			}
		}
		text := func(name string) string { s, _ := doc.Text(name); return s }
		c := got{signed, text("ToUserName"), text("FromUserName"), text("MsgType"), text("Content"), text("MsgId"), text("EventKey"), text("Label")}
		content := reply(c)
		if content == "" {
			_, _ = io.WriteString(w, "success")
			return
		}
		answer := textReply(c, content)
		if cipher != nil {
			answer = string(cipher.SealReply(account.Token, []byte(answer), 1767225600, "1"))
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// textReply is a passive reply.
func textReply(c got, content string) string {
	return "<xml><ToUserName>" + c.FromUserName + "</ToUserName><FromUserName>" + c.ToUserName + "</FromUserName><CreateTime>1767225600</CreateTime>" +
		"<MsgType>text</MsgType><Content><![CDATA[" + content + "]]></Content></xml>"
}

func TestLoad(t *testing.T) {
	for _, mode := range []sender.Mode{sender.Plain, sender.Compat, sender.Safe} {
		t.Run(string(mode), func(t *testing.T) {
			var mu sync.Mutex
			byType, ids, texts, users := map[string]int{}, map[string]int{}, map[string]int{}, map[string]bool{}
			srv := gateway(t, testAccount(mode), func(c got) string {
				mu.Lock()
				defer mu.Unlock()
				if !c.signed || c.ToUserName != gh || len(c.FromUserName) != 28 {
					t.Errorf("a callback is not signed or addressed: %+v", c)
				}
				byType[c.MsgType]++
				users[c.FromUserName] = true
				if c.MsgID != "" {
					ids[c.MsgID]++
				}
				if c.MsgType == "text" {
					texts[c.Content]++
				}
				return c.Content
			})
			cfg := config(srv.URL + "/wechat/one?own=1")
			cfg.Account, cfg.Mix, cfg.Duplicates, cfg.Echo = testAccount(mode), "text=60,event=20,image=10,location=10", 10, true
			var seen atomic.Int64
			cfg.Duration = 1200 * time.Millisecond
			cfg.Progress = func(p Progress) { seen.Add(1) }
			r := runLoad(t, cfg)
			if r.Failed != 0 || len(r.Failures) != 0 {
				t.Fatalf("failures: %+v", r.Failures)
			}
			// 240 messages, 24 of them twice.
			if r.Messages != 264 || r.Duplicates != 24 || r.Accepted != 264 || r.Latency.Count != 264 || r.Mode != string(mode) || r.Interrupted {
				t.Errorf("report: %+v", r)
			}
			if r.Answers["text"] != int64(byType["text"]) || r.Answers["text"]+r.Answers["success"] != 264 {
				t.Errorf("answers %v of %v", r.Answers, byType)
			}
			if len(texts) != 144 || len(ids) != 192 || byType["event"]+byType["image"]+byType["location"] < 96 {
				t.Errorf("%d texts, %d MsgIds, types %v; want 144 and 192", len(texts), len(ids), byType)
			}
			for id, n := range ids {
				if n > 2 {
					t.Errorf("MsgId %s came %d times", id, n)
				}
			}
			if len(users) < 30 || len(users) > cfg.Users {
				t.Errorf("%d users", len(users))
			}
			if strings.Contains(r.URL, "own") || seen.Load() == 0 {
				t.Errorf("URL %s, %d lines of progress", r.URL, seen.Load())
			}
			l := r.Latency
			if !(0 < l.P50 && l.P50 <= l.P90 && l.P90 <= l.P99 && l.P99 <= l.P999 && l.P999 <= l.P9999 && l.P9999 <= l.Max) || r.Throughput <= 0 {
				t.Errorf("latency %+v, throughput %v", l, r.Throughput)
			}
		})
	}
}

// Connections are used again: one is enough for one request at a time.
func TestLoadKeepsConnections(t *testing.T) {
	var connections atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") }))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	cfg := config(srv.URL)
	cfg.InFlight, cfg.Duration = 1, 200*time.Millisecond
	if r := runLoad(t, cfg); r.Accepted != 40 {
		t.Errorf("report %+v", r)
	}
	if connections.Load() != 1 {
		t.Errorf("%d connections, want 1", connections.Load())
	}
}
