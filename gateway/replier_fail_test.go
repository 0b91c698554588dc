package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/testaddr"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

func TestReplierFails(t *testing.T) {
	const timeout = 600 * time.Millisecond
	tests := []struct {
		name, code string
		says       func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error)
	}{
		{"panics", "Internal", func(_ context.Context, m *wechatv1.Message) (*wechatv1.Reply, error) { panic(m.GetText().GetContent()) }},
		{"fails", "InvalidArgument", func(_ context.Context, m *wechatv1.Message) (*wechatv1.Reply, error) {
			return nil, status.Error(codes.InvalidArgument, "I do not understand "+m.GetText().GetContent()+" of "+m.GetFromUserName())
		}},
		{"fails without a status", "Unknown", func(_ context.Context, m *wechatv1.Message) (*wechatv1.Reply, error) {
			return nil, errors.New(m.GetText().GetContent())
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, func(cfg *Config) {
				cfg.ReplyTimeout = timeout
				cfg.BusyText = "sorry"
			})
			f.bot.will(test.says)
			if got := f.post(t, own.plain("/", textXML(testText))); got.Status != 200 || !strings.Contains(got.Body, "<![CDATA[sorry]]>") {
				t.Errorf("%d %s; want the busy text", got.Status, got.Body)
			}
			f.post(t, own.plain("/", eventXML("VIEW"))).expect(t, 200, "success") // WeChat shows no reply to it
			line := f.lines(t, "http")[0]
			if line["level"] != "ERROR" || line["outcome"] != "replier_failed" || line["error"] != "replier: "+test.code {
				t.Errorf("line: %v", line)
			}
			// What the process adds by itself is not the gateway's: generous, but far below what the bot takes.
			if ms := line["ms"].(float64); ms >= 2*float64(timeout.Milliseconds()) {
				t.Errorf("took %v ms, the limit is %s", ms, timeout)
			}
			if _, left := f.bot.called(); len(left) != 2 || left[0] <= 0 || left[0] > timeout-margin {
				t.Errorf("the replier had %s, want at most %s, once for each message", left, timeout-margin)
			}
		})
	}
}

// A replier that restarts costs no message.
func TestReplierComesUp(t *testing.T) {
	addr := testaddr.Unused(t)
	f := start(t, func(cfg *Config) { cfg.Replier.Addr = addr })
	late := &bot{}
	late.say(text("here I am"))
	sent := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
	got := make(chan answer, 1)
	go func() {
		c := own.plain("/", textXML(testText))
		a, err := f.try(ctx, "POST", f.public+c.path+"?"+c.query, strings.NewReader(c.body))
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	<-sent
	late.listen(t, addr)
	if a := <-got; a.Status != 200 || !strings.Contains(a.Body, "here I am") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A slow message delays no other.
func TestSlowMessageDelaysNoOther(t *testing.T) {
	f := start(t, nil)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.bot.will(func(_ context.Context, m *wechatv1.Message) (*wechatv1.Reply, error) {
		if m.GetText().GetContent() == "slow" {
			close(arrived)
			<-release
		}
		return text(m.GetText().GetContent()), nil
	})
	slow := make(chan answer, 1)
	go func() {
		c := own.plain("/", textXML("slow"))
		a, err := f.try(t.Context(), "POST", f.public+c.path+"?"+c.query, strings.NewReader(c.body))
		if err != nil {
			t.Error(err)
		}
		slow <- a
	}()
	<-arrived
	if a := f.post(t, own.plain("/", textXML("quick"))); !strings.Contains(a.Body, "quick") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	close(release)
	if a := <-slow; !strings.Contains(a.Body, "slow") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// panicky is a client that panics with the message's text.
type panicky struct{ replierv1.ReplierServiceClient }

func (panicky) Reply(_ context.Context, r *replierv1.ReplyRequest, _ ...grpc.CallOption) (*replierv1.ReplyResponse, error) {
	panic(r.GetMessage().GetText().GetContent())
}

// WeChat gets success even where the gateway itself breaks.
func TestGatewayPanics(t *testing.T) {
	f := start(t, nil)
	second := &fixture{env: service.NewEnv(f.env.Log)}
	cfg := testConfig(second.env)
	ready, err := newAccountSet(cfg.Accounts.List, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	addCallbackRoutes(mux, cfg, func() *accountSet { return ready }, panicky{}, nil, nil)
	broken := httptest.NewServer(service.LogRequests(f.env.Log, false, mux))
	defer broken.Close()
	c := own.of(accounts.Safe, textXML(testText))
	f.do(t, "POST", broken.URL+c.path+"?"+c.query, strings.NewReader(c.body)).expect(t, 200, "success")
	broken.Close()
	line := f.lines(t, "http")[0]
	if line["level"] != "ERROR" || line["outcome"] != "panic" || !strings.HasPrefix(line["error"].(string), "panic: a string\n") {
		t.Errorf("line: %v", line)
	}
	if n := second.outcomes(t)["panic"]; n != 1 {
		t.Errorf("wxgate_callbacks_total{outcome=panic} is %d, want 1", n)
	}
}
