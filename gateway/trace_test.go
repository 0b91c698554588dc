package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

func debugging(cfg *Config) { cfg.Debug = true }

// traced returns what the gateway tells of callbacks, by a query.
func (f *fixture) traced(t *testing.T, query string) []*callbackTrace {
	t.Helper()
	got := f.do(t, "GET", f.internal+"/debug/callbacks"+query, nil)
	var told struct{ Callbacks []*callbackTrace }
	if err := json.Unmarshal([]byte(got.Body), &told); err != nil || got.Status != 200 || got.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v: %v: %s", got.Status, got.Header, err, got.Body)
	}
	return told.Callbacks
}

// telling returns a bot's answer that tells a trace, where the gateway asks for one.
func telling(trailer metadata.MD) func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) {
	return func(ctx context.Context, m *wechatv1.Message) (*wechatv1.Reply, error) {
		if len(metadata.ValueFromIncomingContext(ctx, service.DebugKey)) == 0 {
			return text("not asked"), nil
		}
		if err := grpc.SetTrailer(ctx, trailer); err != nil {
			return nil, err
		}
		return text("asked"), nil
	}
}

// Without debugging there is no route, and the replier is asked for nothing more.
func TestDebugOff(t *testing.T) {
	f := start(t, nil)
	f.bot.will(telling(nil))
	if got := f.post(t, own.of(accounts.Plain, textXML(testText))); !strings.Contains(got.Body, "not asked") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	for _, base := range []string{f.internal, f.public} {
		if got := f.do(t, "GET", base+"/debug/callbacks", nil); got.Status != 404 {
			t.Errorf("%s: %d %s; want 404", base, got.Status, got.Body)
		}
	}
}

// With it, who gets the answer finds the message, what the replier tells, and the hops on the way.
func TestDebugTrace(t *testing.T) {
	f := start(t, debugging)
	f.bot.will(telling((&service.ReplyTrace{
		Outcome: "reply", Attempt: 1, Rule: "规则 <one>", File: "rules.yaml", Line: 7, Micros: 1,
		Steps: []service.TraceStep{{Name: "rules", Micros: 1}, {Name: "forward", To: "dns:///bot:9001", Micros: 1}},
	}).Trailer()))
	if got := f.post(t, own.of(accounts.Safe, textXML(testText))); got.Status != 200 || !strings.HasPrefix(got.Body, "<xml>") {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	all := f.traced(t, "?nonce="+testNonce)
	if len(all) != 1 {
		t.Fatalf("%d traces, want 1", len(all))
	}
	got := all[0]
	msg := &wechatv1.Message{}
	if err := protojson.Unmarshal(got.Message, msg); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(textMessage("safe"), msg, protocmp.Transform()); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if got.Nonce != testNonce || got.Account != "safe" || got.Outcome != "replied" {
		t.Errorf("trace %+v", got)
	}
	want := &service.ReplyTrace{Outcome: "reply", Attempt: 1, Rule: "规则 <one>", File: "rules.yaml", Line: 7, Micros: 1}
	if diff := cmp.Diff(want, got.Replier); diff != "" {
		t.Errorf("the replier tells (-want +got):\n%s", diff)
	}
	var names []string
	for _, h := range got.Hops {
		names = append(names, strings.TrimSpace(h.Name+" "+h.To))
		if h.From < 0 || h.Micros < 0 || h.From+h.Micros > got.Micros {
			t.Errorf("hop %+v is outside of the %d µs", h, got.Micros)
		}
	}
	if diff := cmp.Diff([]string{"open", "replier", "rules", "forward dns:///bot:9001", "seal"}, names); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	if other := f.traced(t, "?nonce=other"); len(other) != 0 {
		t.Errorf("another nonce has %d traces", len(other))
	}
	if got := f.do(t, "GET", f.public+"/debug/callbacks", nil); got.Status != 404 {
		t.Errorf("the public address: %d; want 404", got.Status)
	}
}

// A callback that is refused has its reason, and no message; one that WeChat is to send again is told at once.
func TestDebugOutcomes(t *testing.T) {
	f := start(t, debugging)
	forged := signer{"NoToken0000001", testKey, testAppID}
	if got := f.post(t, forged.of(accounts.Safe, textXML(testText))); got.Status != 403 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := f.traced(t, ""); len(got) != 1 || got[0].Outcome != "signature" || got[0].Message != nil || got[0].Replier != nil || len(got[0].Hops) != 1 || got[0].Hops[0].Name != "open" {
		t.Errorf("a refused callback: %+v", got)
	}
	f.bot.will(telling(metadata.Pairs(service.TraceKey, "no JSON")))
	if got := f.post(t, own.of(accounts.Plain, textXML(testText))); !strings.Contains(got.Body, "asked") {
		t.Errorf("a replier that tells nonsense: %d %s", got.Status, got.Body)
	}
	if got := f.traced(t, ""); len(got) != 2 || got[1].Outcome != "replied" || got[1].Replier != nil {
		t.Errorf("a replier that tells nonsense: %+v", got)
	}

	f = start(t, func(cfg *Config) { cfg.Debug, cfg.Replier.Addr = true, holder{}.listen(t) })
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := own.of(accounts.Plain, textXML(testText))
		_, _ = f.try(ctx, http.MethodPost, f.public+c.path+"?"+c.query, strings.NewReader(c.body))
	}()
	var got []*callbackTrace
	for len(got) == 0 { // while WeChat waits
		got = f.traced(t, "")
	}
	hangUp()
	<-done
	if got[0].Outcome != "hold" || got[0].Message == nil {
		t.Errorf("a callback that gets no answer: %+v", got[0])
	}
}

// request returns a callback's request with a nonce.
func request(nonce string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/?nonce="+url.QueryEscape(nonce), nil)
}

// However many callbacks come, and however long they are, the memory is bounded. Callbacks and readers do not disturb
// each other.
func TestDebugIsBounded(t *testing.T) {
	ts := newTraceLog()
	tell := func() []*callbackTrace {
		w := httptest.NewRecorder()
		ts.serveTraces(w, httptest.NewRequest(http.MethodGet, "/debug/callbacks", nil))
		var told struct{ Callbacks []*callbackTrace }
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil {
			t.Error(err)
		}
		return told.Callbacks
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range maxTraces {
				tr := ts.startTrace(request(fmt.Sprint(i)), &readyAccount{}, time.Now())
				tr.noteOpened(textMessage("main"))
				tr.finishTrace("replied")
				if i%20 == 0 {
					tell()
				}
			}
		})
	}
	all.Wait()
	long := ts.startTrace(request(strings.Repeat("9", maxParameter+1)), &readyAccount{}, time.Now())
	long.noteOpened(&wechatv1.Message{Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: strings.Repeat("信", maxShown)}}})
	long.finishTrace("replied")
	long.finishTrace("panic") // it is kept, and stays so
	if len(ts.kept) != maxTraces {
		t.Errorf("%d are kept, want %d", len(ts.kept), maxTraces)
	}
	got := tell()
	last := got[len(got)-1]
	var beginning string
	if err := json.Unmarshal(last.Message, &beginning); err != nil {
		t.Fatal(err)
	}
	if len(got) != shownTraces || last.Outcome != "replied" || last.Nonce != "" || len(beginning) > maxShown+len("…") || !strings.HasSuffix(beginning, "信…") {
		t.Errorf("%d are shown; the last has a nonce of %d bytes and a message of %d, %q", len(got), len(last.Nonce), len(beginning), beginning[len(beginning)-8:])
	}
}

// What another process tells of time stays inside of its hop.
func TestForeignSteps(t *testing.T) {
	for _, micros := range []int64{0, 50, -1, math.MinInt64, math.MaxInt64} {
		tr := &callbackTrace{Hops: []service.TraceStep{{Name: "open", Micros: 10}, {Name: "replier", From: 10, Micros: 100}, {Name: "seal", From: 110}}}
		tr.Replier = &service.ReplyTrace{Micros: micros}
		for _, from := range []int64{0, 60, -1, math.MinInt64, math.MaxInt64} {
			tr.Replier.Steps = append(tr.Replier.Steps, service.TraceStep{From: from, Micros: 70}, service.TraceStep{From: from, Micros: math.MaxInt64}, service.TraceStep{From: from, Micros: math.MinInt64})
		}
		tr.placeSteps()
		for _, h := range tr.Hops[2 : len(tr.Hops)-1] {
			if h.From < 10 || h.Micros < 0 || h.From+h.Micros > 110 {
				t.Errorf("%d µs: step %+v is outside of 10 to 110", micros, h)
			}
		}
		if len(tr.Hops) != 18 || tr.Hops[17].Name != "seal" {
			t.Errorf("%d hops, the last %+v", len(tr.Hops), tr.Hops[len(tr.Hops)-1])
		}
	}
}
