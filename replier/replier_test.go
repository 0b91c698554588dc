package replier

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"wxgate/internal/service"
	"wxgate/internal/store/storetest"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

func TestMain(m *testing.M) { storetest.VerifyTestMain(m) }

// running is a replier that serves, and a client of it.
type running struct {
	replierv1.ReplierServiceClient
	rules replierv1.RulesServiceClient
	addr  string
	env   service.Env
	log   *logBuffer

	server *Server
}

// start serves a rules file (path, "" for the built-in rules) until the test ends.
func start(t *testing.T, path string) *running {
	t.Helper()
	return startConfig(t, Config{Rules: path})
}

// newServer completes the configuration, and opens a replier with it.
func newServer(cfg Config) (*Server, error) {
	completed, err := cfg.Complete()
	if err != nil {
		return nil, err
	}
	return New(completed)
}

// startConfig is start with more than a rules file.
func startConfig(t *testing.T, cfg Config) *running {
	t.Helper()
	log := &logBuffer{}
	cfg.Env = service.NewEnv(slog.New(slog.NewJSONHandler(log, nil)))
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := newServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s, cfg.Env, log)
}

// serve serves until the test ends.
func serve(t *testing.T, s *Server, env service.Env, log *logBuffer) *running {
	t.Helper()
	conn, err := grpc.NewClient(s.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		_ = conn.Close()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return &running{replierv1.NewReplierServiceClient(conn), replierv1.NewRulesServiceClient(conn), s.Addr().String(), env, log, s}
}

// startRules is start with a file that holds text.
func startRules(t *testing.T, text string) *running {
	t.Helper()
	return start(t, write(t, t.TempDir(), "rules.yaml", text))
}

// write makes a file in dir, and returns its path.
func write(tb testing.TB, dir, name, text string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// ask returns the answer to a message; nil: none.
func (r *running) ask(t *testing.T, msg *wechatv1.Message) *wechatv1.Reply {
	t.Helper()
	resp, err := r.Reply(t.Context(), &replierv1.ReplyRequest{Message: msg})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetReply()
}

// outcomes returns wxgate_replies_total by its label.
func (r *running) outcomes(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := r.env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "wxgate_replies_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return counts
}

// gauge returns the sum of a metric's values.
func gauge(t *testing.T, env service.Env, name string) (sum float64) {
	t.Helper()
	families, err := env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// line returns the only line about a call, without what differs from run to run.
func (l *logBuffer) line(t *testing.T) map[string]any {
	t.Helper()
	var found map[string]any
	for text := range strings.Lines(l.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("not JSON: %v\n%s", err, text)
		}
		switch {
		case line["msg"] != "rpc":
		case found != nil:
			t.Fatalf("more than one line about a call:\n%s", l)
		default:
			found = line
		}
	}
	for _, key := range []string{"time", "ms", "request_id"} {
		if found[key] == nil {
			t.Errorf("no %s in the log line", key)
		}
		delete(found, key)
	}
	delete(found, "peer") // the test itself
	return found
}

const openid = "oABCDEF1234567890abcdefghijk"

// sentBefore counts messages: each has an id of its own.
var sentBefore atomic.Int64

func message(msgType string) *wechatv1.Message {
	return &wechatv1.Message{
		Account: "shop", ToUserName: "gh_0123456789ab", FromUserName: openid, CreateTime: 1460537339,
		MsgType: msgType, MsgId: 3272960105994287638 + sentBefore.Add(1),
	}
}

func text(content string) *wechatv1.Message {
	m := message("text")
	m.Content = &wechatv1.Message_Text{Text: &wechatv1.Text{Content: content}}
	return m
}

func image() *wechatv1.Message {
	m := message("image")
	m.Content = &wechatv1.Message_Image{Image: &wechatv1.Image{PicUrl: "https://example.com/p.jpg", MediaId: "image-7"}}
	return m
}

func voice(recognition string) *wechatv1.Message {
	m := message("voice")
	m.Content = &wechatv1.Message_Voice{Voice: &wechatv1.Voice{MediaId: "voice-7", Format: "amr", Recognition: recognition}}
	return m
}

func video() *wechatv1.Message {
	m := message("video")
	m.Content = &wechatv1.Message_Video{Video: &wechatv1.Video{MediaId: "video-7", ThumbMediaId: "thumb-7"}}
	return m
}

func shortvideo() *wechatv1.Message {
	m := message("shortvideo")
	m.Content = &wechatv1.Message_Shortvideo{Shortvideo: &wechatv1.Video{MediaId: "video-8"}}
	return m
}

func location(x, y, label string) *wechatv1.Message {
	m := message("location")
	m.Content = &wechatv1.Message_Location{Location: &wechatv1.Location{LocationX: x, LocationY: y, Scale: "15", Label: label}}
	return m
}

func link() *wechatv1.Message {
	m := message("link")
	m.Content = &wechatv1.Message_Link{Link: &wechatv1.Link{Title: "Title", Description: "it", Url: "https://example.com/page"}}
	return m
}

// event is an event of a kind that has no type; rules go by its name.
func event(name, key string) *wechatv1.Message {
	m := message("event")
	m.MsgId = 0
	m.Content = &wechatv1.Message_Event{Event: &wechatv1.Event{
		Event: name, EventKey: key, Kind: &wechatv1.Event_Unknown{Unknown: &wechatv1.UnknownEvent{}},
	}}
	return m
}

func says(content string) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: content}}}
}
