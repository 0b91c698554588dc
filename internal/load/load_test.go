package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"wxgate/internal/fakewechat"
	"wxgate/internal/wechat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const gh = "gh_0123456789ab"

func testAccount(mode fakewechat.Mode) fakewechat.Account {
	return fakewechat.Account{
		AppID: "wx00000000load0001", Token: "LoadToken01", AESKey: "loadLoadKeyOfTheTestsOfWxgate0123456789ABCD",
		OriginalID: gh, Mode: mode,
	}
}

// config returns a load of 200 texts in a second.
func config(url string) Config {
	return Config{URL: url, Account: testAccount(fakewechat.Plain), Rate: 200, Duration: time.Second, Users: 50, Mix: "text=1", InFlight: 1000}
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
func gateway(t testing.TB, account fakewechat.Account, reply func(got) string) *httptest.Server {
	t.Helper()
	var cipher *wechat.Cipher
	if account.Mode != fakewechat.Plain {
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
	for _, mode := range []fakewechat.Mode{fakewechat.Plain, fakewechat.Compat, fakewechat.Safe} {
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

func TestLoadFailures(t *testing.T) {
	serve := func(h http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string {
			srv := httptest.NewServer(h)
			t.Cleanup(srv.Close)
			return srv.URL
		}
	}
	say := func(status int, body string) func(*testing.T) string {
		return serve(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	answer := func(reply func(got) string) func(*testing.T) string {
		return func(t *testing.T) string { return gateway(t, testAccount(fakewechat.Plain), reply).URL }
	}
	other := func(c got) string {
		run := c.Content[:strings.LastIndex(c.Content, "-")+1]
		return "You said: " + run + "999999"
	}
	for _, c := range []struct {
		name   string
		server func(*testing.T) string
		echo   bool
		kind   string // "": none fails
		detail string
	}{
		{"nobody there", func(t *testing.T) string {
			srv := httptest.NewServer(nil)
			srv.Close()
			return srv.URL
		}, false, refused, "connection refused"},
		{"forbidden", say(403, "forbidden"), false, "status 403", "Forbidden"},
		{"HTML error page", say(502, "<html></html>"), false, "status 502", "Bad Gateway"},
		{"redirect", serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }), false, "status 302", "Found"},
		{"HTML", say(200, "<html><body>hello</body></html>"), false, badAnswer, "the answer is an HTML page"},
		{"JSON", say(200, `{"errcode":0}`), false, badAnswer, "the answer is JSON"},
		{"10 MB", say(200, strings.Repeat(" ", 10<<20)), false, badAnswer, "longer than 1 MiB"},
		{"no bytes", say(200, ""), false, "", ""},
		{"hangs up", serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), false, broken, "EOF"},
		{"half an answer", serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "<xml>")
		}), false, broken, "unexpected EOF"},
		{"swapped names", serve(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, textReply(got{FromUserName: gh, ToUserName: gh}, "hi"))
		}), false, badAnswer, "ToUserName is not the user's openid"},
		{"another's answer", answer(other), false, wrongAnswer, "You said: load-"},
		{"quotes", answer(func(c got) string { return other(c) + " and " + c.Content + "!" }), false, "", ""},
		{"other words", answer(func(got) string { return "hello" }), false, "", ""},
		{"no echo", answer(func(got) string { return "hello" }), true, wrongAnswer, `is answered by "hello"`},
		{"echo", answer(func(c got) string { return c.Content }), true, "", ""},
		{"silence is no text", answer(func(got) string { return "" }), true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(c.server(t))
			cfg.Rate, cfg.Duration, cfg.Echo = 50, 200*time.Millisecond, c.echo
			r := runLoad(t, cfg)
			if c.kind == "" {
				if r.Failed != 0 || r.Accepted != 10 {
					t.Errorf("%d failed: %+v", r.Failed, r.Failures)
				}
				return
			}
			if len(r.Failures) != 1 || r.Failures[0].Kind != c.kind || r.Failures[0].Count != 10 || r.Failed != 10 || r.Accepted != 0 || r.Messages != 10 {
				t.Fatalf("got %+v, want 10 of %q", r.Failures, c.kind)
			}
			if d := r.Failures[0].Details; len(d) == 0 || len(d) > maxDetails || !strings.Contains(d[0], c.detail) {
				t.Errorf("details %q, want %q", d, c.detail)
			}
		})
	}
}

// roundTrip answers requests within the process.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func success() *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("success"))}
}

// wait waits as a request does.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A gateway that stands still from 1 s to 2 s costs the messages that are due then, however few requests may be in flight.
func TestLoadStall(t *testing.T) {
	for _, inFlight := range []int{5, 1000} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var flying, most atomic.Int64
			cfg := config("http://gateway.test/")
			cfg.Rate, cfg.Duration, cfg.InFlight = 100, 3*time.Second, inFlight
			cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				most.Store(max(most.Load(), flying.Add(1)))
				defer flying.Add(-1)
				if since := time.Since(began); since >= time.Second && since < 2*time.Second {
					return success(), wait(r.Context(), 2*time.Second-since)
				}
				return success(), nil
			})
			r := runLoad(t, cfg)
			if r.Failed != 0 || r.Messages != 300 {
				t.Fatalf("failures %+v of %d", r.Failures, r.Messages)
			}
			if most.Load() > int64(inFlight) {
				t.Errorf("%d requests in flight, %d are the most", most.Load(), inFlight)
			}
			// A third waited, from 1000 ms to 10 ms: 10 % of all over 700 ms.
			near := func(name string, got, want float64) {
				if got < want*0.97 || got > want*1.03 {
					t.Errorf("with %d in flight: %s %v, want about %v", inFlight, name, got, want)
				}
			}
			near("p90", r.Latency.P90, 710)
			near("p99", r.Latency.P99, 980)
			near("max", r.Latency.Max, 1000)
			if r.Latency.P50 > 1 || r.Behind.Max > 1 {
				t.Errorf("p50 %v, behind %v", r.Latency.P50, r.Behind.Max)
			}
			for _, w := range r.Windows {
				if stalled := w.From >= 1 && w.From < 2; stalled != (w.Max > 1) {
					t.Errorf("window from %v s: max %v", w.From, w.Max)
				}
			}
		})
	}
}

// The same over a real connection, where a busy machine makes latencies longer but not shorter.
func TestLoadStallOnTheNetwork(t *testing.T) {
	release := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(release) })
	srv := gateway(t, testAccount(fakewechat.Plain), func(c got) string {
		<-release
		return c.Content
	})
	cfg := config(srv.URL)
	cfg.InFlight = 4
	r := runLoad(t, cfg)
	// All of the 200 were due within the second: half of them before its middle.
	if r.Failed != 0 || r.Latency.P50 < 450 || r.Latency.Max < 950 || r.Latency.P9999 < 950 {
		t.Errorf("failures %+v, latency %+v", r.Failures, r.Latency)
	}
}

func TestLoadNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://gateway.test/")
		cfg.Rate, cfg.Duration, cfg.InFlight = 10, 2*time.Second, 15
		cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, wait(r.Context(), time.Hour)
		})
		r := runLoad(t, cfg)
		// 15 are sent and time out. Of the 5 that wait for them, due from 1.5 s to 1.9 s, all are sent at 5 s and later.
		want := []Failure{{timeout, 20, nil}}
		got := []Failure{}
		for _, f := range r.Failures {
			got = append(got, Failure{f.Kind, f.Count, nil})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		if r.Late != 20 || r.Latency.P50 < 4990 || r.Latency.Max < 8000 || r.Throughput != 0 {
			t.Errorf("late %d, latency %+v, throughput %v", r.Late, r.Latency, r.Throughput)
		}
	})
}

func TestLoadNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://gateway.test/")
		cfg.Rate, cfg.Duration, cfg.InFlight = 10, time.Second, 2
		cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return success(), wait(r.Context(), 4*time.Second)
		})
		r := runLoad(t, cfg)
		// Two at a time: at 0 s, and at 4 s those that were due at 0.2 s and 0.3 s, which get their answers late. The other
		// six are given up 5 s after they were due.
		want := []Failure{{notSent, 6, []string{"2 requests were in flight for 5 s"}}, {late, 2, []string{"the answer came over 5 s after the message was due"}}}
		if diff := cmp.Diff(want, r.Failures); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		if r.Messages != 10 || r.Late != 8 || r.Accepted != 2 || r.Latency.Count != 10 || r.Answers["success"] != 4 {
			t.Errorf("report %+v", r)
		}
	})
}

func TestLoadInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://gateway.test/")
		cfg.Duration = time.Hour
		cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return success(), wait(r.Context(), time.Second)
		})
		g, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1999*time.Millisecond)
		defer cancel()
		r := g.Run(ctx)
		// What is in flight is answered, and is no failure.
		if !r.Interrupted || r.Messages != 400 || r.Failed != 0 || r.Accepted != 400 || r.Seconds > 2 || len(r.Windows) != 1 {
			t.Errorf("report %+v", r)
		}
	})
}

func TestValidate(t *testing.T) {
	good := config("http://127.0.0.1:8000/")
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{
		URL: "http://u:secret@www.example.com/", Account: testAccount("loud"), Rate: -1, Duration: -time.Second, Users: 0, Mix: "text=80,telegram=1,event=x,text=2",
		Duplicates: 101, InFlight: 0, TestHosts: []string{"http://x"},
	}
	g, err := New(bad)
	if g != nil || err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"URL must look like", `--test-hosts: "http://x"`, `--mix: unknown kind "telegram"; kinds: event, image`, "--mix: event=x; expected a share", "--mix: text is there twice",
		"--rate: -1; expected a number from 0.01 to 100000", "--users: 0", "--duplicates: 101", "--in-flight: 0", "--duration: -1s", `unknown mode "loud"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the password: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"--rate":     func(c *Config) { c.Rate /= 1e9 },
		"--duration": func(c *Config) { c.Duration = 25 * time.Hour },
		"--aes-key":  func(c *Config) { c.Account.Mode, c.Account.AESKey = fakewechat.Safe, "short" },
		"--mix":      func(c *Config) { c.Mix = "" },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) || len(strings.Split(err.Error(), "\n")) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		url      string
		hosts    []string
		anywhere bool
		good     bool
	}{
		{"http://127.0.0.1:8000/", nil, false, true},
		{"http://127.8.9.1/", nil, false, true},
		{"http://[::1]:8000/", nil, false, true},
		{"http://[::ffff:127.0.0.1]/", nil, false, true},
		{"http://0.0.0.0:8000/", nil, false, true},
		{"http://LOCALHOST:8000/", nil, false, true},
		{"http://a.localhost./", nil, false, true},
		{"https://gateway.test/wechat/one?x=1", nil, false, true},
		{"https://wx.example.com/", nil, false, false},
		{"https://wx.example.com/", nil, true, true},
		{"https://WX.example.com./", []string{"a.example.com", "wx.Example.com"}, false, true},
		{"https://a.wx.example.com/", []string{"wx.example.com"}, false, false},
		{"http://10.0.0.5/", nil, false, false},
		{"http://10.0.0.5/", []string{"10.0.0.5"}, false, true},
		{"http://[fd00::5]:80/", []string{"[fd00::5]"}, false, true},
		{"http://notlocalhost/", nil, false, false},
		{"http://mylocalhost.com/", nil, false, false},
		{"http://127.0.0.1.example.com/", nil, false, false},
		{"http://127.0.0.1@example.com/", nil, true, false},
		{"http://2130706433/", nil, false, false},
		{"ftp://127.0.0.1/", nil, true, false},
		{"127.0.0.1:8000", nil, true, false},
		{"http:///", nil, true, false},
		{"", nil, true, false},
	} {
		err := Config{URL: c.url, TestHosts: c.hosts, Anywhere: c.anywhere}.validateTarget()
		if (err == nil) != c.good {
			t.Errorf("%q, hosts %q, anywhere %v: %v", c.url, c.hosts, c.anywhere, err)
		}
	}
}

func TestMix(t *testing.T) {
	m, err := parseMix(" text = 80, event=20 ,link=0.5")
	if err != nil || m.String() != "text=80,event=20,link=0.5" {
		t.Fatal(m, err)
	}
	counts := map[string]int{}
	for range 2010 {
		counts[m.next()]++
	}
	if diff := cmp.Diff(map[string]int{"text": 1600, "event": 400, "link": 10}, counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, s := range []string{"", ",", "text", "text=", "text=0", "text=-1", "text=NaN", "text=Inf", "text=1,", "Text=1", "=1"} {
		if _, err := parseMix(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

// Every kind of a mix can be composed.
func TestKinds(t *testing.T) {
	for kind := range kinds {
		cfg := config("http://127.0.0.1/")
		m, err := parseMix(kind + "=1")
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter(cfg, m)
		for n := range 20 {
			msg := w.next(n, time.Unix(1767225600, 0))
			if !strings.Contains(string(msg.callback), "<CreateTime>1767225600</CreateTime>") {
				t.Errorf("%s: %s", kind, msg.callback)
			}
		}
	}
}

func TestFailed(t *testing.T) {
	dial := func(err error) error { return fmt.Errorf("send: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	for _, c := range []struct {
		err  error
		want outcome
	}{
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), outcome{failure: refused, detail: "connect: connection refused"}},
		{dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), outcome{failure: noConnection, detail: "connect: no route to host"}},
		{dial(&net.DNSError{Err: "no such host", Name: "gateway.test", IsNotFound: true}), outcome{failure: noConnection, detail: "lookup gateway.test: no such host"}},
		{dial(os.NewSyscallError("socket", syscall.EMFILE)), outcome{failure: noConnection, detail: "socket: too many open files"}},
		{dial(os.ErrDeadlineExceeded), outcome{failure: timeout, detail: noAnswer}},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, outcome{failure: broken, detail: "read: connection reset by peer"}},
		{context.DeadlineExceeded, outcome{failure: timeout, detail: noAnswer}},
		{errors.New("malformed HTTP response"), outcome{failure: broken, detail: "malformed HTTP response"}},
	} {
		if got := failed(c.err); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
	}
}
