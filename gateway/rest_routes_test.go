package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/testaddr"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// header returns an edit that sets a request header.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// question is textMessage as the body of POST /v1/reply.
func question(t testing.TB) string {
	t.Helper()
	data, err := protojson.Marshal(&replierv1.ReplyRequest{Message: textMessage("main")})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// echo answers a text with itself.
func echo(_ context.Context, m *wechatv1.Message) (*wechatv1.Reply, error) {
	return text(m.GetText().GetContent()), nil
}

func TestREST(t *testing.T) {
	f := start(t, nil)
	f.bot.will(echo)
	got := f.do(t, "POST", f.internal+"/v1/reply", strings.NewReader(question(t)), header("X-Request-Id", "mine-1"))
	resp := &replierv1.ReplyResponse{}
	if err := protojson.Unmarshal([]byte(got.Body), resp); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	want := &replierv1.ReplyResponse{Reply: text(testText)}
	if diff := cmp.Diff(want, resp, protocmp.Transform()); diff != "" || got.Status != 200 {
		t.Errorf("%d (-want +got):\n%s", got.Status, diff)
	}
	if diff := cmp.Diff([]*wechatv1.Message{textMessage("main")}, f.bot.heard(), protocmp.Transform()); diff != "" {
		t.Errorf("the replier heard (-want +got):\n%s", diff)
	}
	if kind := got.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type %q", kind)
	}
	lines := f.lines(t, "http")
	ids, _ := f.bot.called()
	if len(lines) != 1 || lines[0]["request_id"] != "mine-1" || got.Header.Get("X-Request-Id") != "mine-1" || !slices.Equal(ids, []string{"mine-1"}) {
		t.Errorf("the request id of a trusted caller is not kept: header %q, replier %q, log %v", got.Header.Get("X-Request-Id"), ids, lines)
	}
}

func TestRESTOfOAuth(t *testing.T) {
	f, fake := startOAuth(t, nil)
	got := f.do(t, "GET", f.internal+"/v1/oauth/authorize-url?redirect_uri=https://x.example/&state=s&scope=snsapi_base", nil)
	var page struct{ URL string }
	if err := json.Unmarshal([]byte(got.Body), &page); err != nil || got.Status != 200 || !strings.HasPrefix(page.URL, openPage) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	got = f.do(t, "POST", f.internal+"/v1/oauth/exchange", strings.NewReader(`{"code":"`+testCode+`"}`))
	if got.Status != 200 || !strings.Contains(got.Body, testAccess) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	before := len(fake.made())
	for _, path := range []string{"/v1/oauth/exchange?code=" + testCode, "/v1/oauth/refresh", "/v1/oauth/userinfo", "/v1/oauth/check", "/v1/oauth/forget", "/v1/oauth/withdrawal", "/v1/account/access-token", "/v1/account/sign-jsapi"} {
		if got := f.do(t, "GET", f.internal+path, nil); got.Status != 405 && got.Status != 501 {
			t.Errorf("GET %s: %d; codes and tokens do not travel in addresses", path, got.Status)
		}
	}
	if after := len(fake.made()); after != before {
		t.Error("a GET reached oauthsvc")
	}
}

func TestRESTRefuses(t *testing.T) {
	f, fake := startOAuth(t, nil)
	good := question(t)
	form := header("Content-Type", "application/x-www-form-urlencoded")
	for _, test := range []struct {
		name, method, path, body string
		edit                     []func(*http.Request)
		status                   int
	}{
		{"unknown field", "POST", "/v1/reply", `{"mesage":{}}`, nil, 400},
		{"unknown field inside", "POST", "/v1/reply", `{"message":{"txt":{}}}`, nil, 400},
		{"junk", "POST", "/v1/reply", `<xml></xml>`, nil, 400},
		{"wrong type", "POST", "/v1/reply", `{"message":{"createTime":"soon"}}`, nil, 400},
		{"5 MB", "POST", "/v1/reply", `{"message":{"text":{"content":"` + strings.Repeat("x", 5_000_000) + `"}}}`, nil, 400},
		{"unknown route", "POST", "/v1/nothing", good, nil, 404},
		{"GET", "GET", "/v1/reply", "", nil, 501},
		{"PUT", "PUT", "/v1/reply", good, nil, 501},
		{"override", "PUT", "/v1/reply", good, []func(*http.Request){header("X-HTTP-Method-Override", "POST")}, 501},
		{"override to GET", "POST", "/v1/oauth/authorize-url", "", []func(*http.Request){header("X-HTTP-Method-Override", "GET")}, 501},
		{"form with override", "POST", "/v1/oauth/authorize-url", "redirect_uri=x", []func(*http.Request){form, header("X-HTTP-Method-Override", "GET")}, 501},
		{"form", "POST", "/v1/oauth/authorize-url", "redirect_uri=x", []func(*http.Request){form}, 501},
		{"another site", "POST", "/v1/reply", good, []func(*http.Request){header("Sec-Fetch-Site", "cross-site")}, 403},
		{"another port of this host", "POST", "/v1/reply", good, []func(*http.Request){header("Sec-Fetch-Site", "same-site")}, 403},
		{"another origin", "POST", "/v1/reply", good, []func(*http.Request){header("Origin", "https://evil.example")}, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := f.do(t, test.method, f.internal+test.path, strings.NewReader(test.body), test.edit...)
			if got.Status != test.status || strings.Contains(got.Body, "confide") {
				t.Errorf("%d %s; want %d", got.Status, got.Body, test.status)
			}
		})
	}
	if heard, calls := f.bot.heard(), fake.made(); len(heard) != 0 || len(calls) != 0 {
		t.Errorf("calls reached the services: %v %v", heard, calls)
	}
}

// An error is a google.rpc.Status with its ErrorInfo; the private cause stays in the service's log.
func TestRESTErrors(t *testing.T) {
	f := start(t, nil)
	for want, err := range map[int]error{
		400: &service.RPCError{Code: codes.InvalidArgument, Reason: "INVALID_REQUEST", Message: "say more", Metadata: map[string]string{"errcode": "41008", "rid": "r1"}, Cause: errors.New("confide")},
		503: &service.RPCError{Code: codes.Unavailable, Reason: "UPSTREAM_UNAVAILABLE", Message: "say more", Metadata: map[string]string{"errcode": "41008", "rid": "r1"}},
	} {
		f.bot.will(func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { return nil, err })
		got := f.do(t, "POST", f.internal+"/v1/reply", strings.NewReader(question(t)))
		var body struct {
			Message string
			Details []struct {
				Type           string `json:"@type"`
				Reason, Domain string
				Metadata       map[string]string
			}
		}
		if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
			t.Fatalf("%v: %s", err, got.Body)
		}
		if got.Status != want || body.Message != "say more" || len(body.Details) != 1 || strings.Contains(got.Body, "confide") {
			t.Fatalf("%d %s; want %d", got.Status, got.Body, want)
		}
		d := body.Details[0]
		if d.Type != "type.googleapis.com/google.rpc.ErrorInfo" || d.Reason == "" || d.Domain != "wxgate" || d.Metadata["errcode"] != "41008" || d.Metadata["rid"] != "r1" {
			t.Errorf("details %+v", d)
		}
	}
}

// No header of a REST call becomes metadata of the gRPC call, and none of its metadata a header.
func TestRESTHeadersStay(t *testing.T) {
	f := start(t, nil)
	got := f.do(t, "POST", f.internal+"/v1/reply", strings.NewReader(question(t)), header("Grpc-Metadata-X-Request-Id", "forged"), header("Authorization", "Bearer confide"))
	if ids, _ := f.bot.called(); got.Status != 200 || len(ids) != 1 || ids[0] == "" || strings.Contains(ids[0], "forged") {
		t.Errorf("%d, the replier saw request ids %q", got.Status, ids)
	}
	for name := range got.Header {
		if strings.HasPrefix(name, "Grpc-") {
			t.Errorf("header %s", name)
		}
	}
}

// The description names every route of http.yaml, and every route answers.
func TestOpenAPI(t *testing.T) {
	f, _ := startOAuth(t, nil)
	got := f.do(t, "GET", f.internal+"/openapi.json", nil)
	var spec struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(got.Body), &spec); err != nil || got.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v, %v", err, got.Header)
	}
	rules, err := os.ReadFile(filepath.Join("..", "proto", "http.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`(?m)^ +(get|post|put|patch|delete): (\S+)$`).FindAllStringSubmatch(string(rules), -1)
	want := 0
	for _, desc := range []grpc.ServiceDesc{replierv1.ReplierService_ServiceDesc, replierv1.RulesService_ServiceDesc, replierv1.DeliveryService_ServiceDesc,
		oauthv1.OAuthService_ServiceDesc, oauthv1.AccountService_ServiceDesc} {
		want += len(desc.Methods)
	}
	if len(routes) != want || len(spec.Paths) != want {
		t.Errorf("%d routes, %d described; the services have %d methods", len(routes), len(spec.Paths), want)
	}
	for _, route := range routes {
		if spec.Paths[route[2]][route[1]] == nil {
			t.Errorf("%s %s is not described", route[1], route[2])
		}
		if got := f.do(t, strings.ToUpper(route[1]), f.internal+route[2], strings.NewReader("{}")); got.Status == 404 || got.Status == 405 {
			t.Errorf("%s %s: %d", route[1], route[2], got.Status)
		}
	}
}

func TestOperation(t *testing.T) {
	f := start(t, func(cfg *Config) {
		cfg.Replier.Addr = testaddr.Unused(t)
		cfg.ReplyTimeout = margin + 1 // the message is lost at once
		cfg.Slow.How = accounts.Drop
	})
	f.post(t, own.of(accounts.Safe, textXML(testText)))
	if got := f.do(t, "GET", f.internal+"/livez", nil); got.Status != 200 || got.Body != "ok\n" {
		t.Errorf("/livez: %d %q", got.Status, got.Body)
	}
	got := f.do(t, "GET", f.internal+"/metrics", nil)
	for _, sample := range []string{`wxgate_callbacks_total{outcome="dropped"} 1`, "wxgate_callback_seconds_count 1", "go_goroutines "} {
		if !strings.Contains(got.Body, "\n"+sample) {
			t.Errorf("/metrics lacks %s", sample)
		}
	}
	var ready struct {
		Status string
		Away   map[string]string
	}
	// The gateway may not have tried to connect yet.
	for deadline := time.Now().Add(20 * time.Second); ready.Away["replier"] == "" && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		got = f.do(t, "GET", f.internal+"/readyz", nil)
		if err := json.Unmarshal([]byte(got.Body), &ready); err != nil {
			t.Fatal(err)
		}
	}
	if got.Status != 200 || ready.Status != "ready" || ready.Away["replier"] == "" {
		t.Errorf("/readyz: %d %s; want 200 that lists the replier", got.Status, got.Body)
	}
	if got := f.do(t, "GET", f.public+"/metrics", nil); got.Status != 404 {
		t.Errorf("/metrics on the public address: %d", got.Status)
	}
	for _, path := range []string{"/readyz", "/livez", "/openapi.json", "/v1/reply"} {
		if got := f.do(t, "GET", f.public+path, nil); got.Status != 404 {
			t.Errorf("%s on the public address: %d", path, got.Status)
		}
	}
}
