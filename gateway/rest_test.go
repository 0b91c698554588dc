package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
)

// Each call of an account's goes to oauthsvc as it was asked, and its answer comes back in protobuf's JSON.
func TestRESTOfAccount(t *testing.T) {
	f, fake := startOAuth(t, nil)
	for _, test := range []struct {
		method, path, body string
		call               proto.Message
		answer             string
	}{
		{"POST", "/v1/account/access-token", `{"account":"safe","refused":"r"}`,
			&oauthv1.GetAccessTokenRequest{Account: "safe", Refused: "r"}, `{"accessToken":"` + testAccess + `","expireTime":"2026-01-01T00:00:00Z"}`},
		{"POST", "/v1/account/access-token", `{}`, &oauthv1.GetAccessTokenRequest{}, `{"accessToken":"` + testAccess + `","expireTime":"2026-01-01T00:00:00Z"}`},
		{"POST", "/v1/account/sign-jsapi", `{"url":"https://wx.example.com/?a=b"}`,
			&oauthv1.SignJsapiRequest{Url: "https://wx.example.com/?a=b"}, `{"appId":"` + testAppID + `","timestamp":"1767225600","nonceStr":"n","signature":"s"}`},
		{"POST", "/v1/account/messages/check", `{"attempt_id":"a","age_ms":"5"}`,
			&oauthv1.CheckCustomMessageRequest{AttemptId: "a", AgeMs: 5}, `{}`},
		{"POST", "/v1/account/messages", `{"openid":"o","message":{"text":"confide","kf_account":"k"}}`,
			&oauthv1.SendCustomMessageRequest{Openid: "o", Message: &oauthv1.CustomMessage{KfAccount: "k", Content: &oauthv1.CustomMessage_Text{Text: "confide"}}}, `{}`},
		{"POST", "/v1/account/typing", `{"openid":"o","typing":true}`, &oauthv1.SetTypingRequest{Openid: "o", Typing: true}, `{}`},
		{"GET", "/v1/account/callback-ips?account=safe", "", &oauthv1.ListCallbackIpsRequest{Account: "safe"}, `{"ips":["101.226.103.0/25"]}`},
		{"GET", "/v1/account/quota?cgi_path=/cgi-bin/x", "", &oauthv1.GetQuotaRequest{CgiPath: "/cgi-bin/x"}, `{"dailyLimit":"10","used":"3","remain":"7"}`},
		{"POST", "/v1/oauth/forget", `{"openid":"o"}`, &oauthv1.ForgetUserRequest{Openid: "o"}, `{}`},
		{"POST", "/v1/oauth/userinfo", `{"openid":"o"}`, &oauthv1.GetUserInfoRequest{Openid: "o"}, ""},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			before := len(fake.made())
			got := f.do(t, test.method, f.internal+test.path, strings.NewReader(test.body))
			if got.Status != 200 {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			if diff := cmp.Diff([]proto.Message{test.call}, fake.made()[before:], protocmp.Transform()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if test.answer == "" {
				return // TestRESTOfOAuth reads those
			}
			if diff := cmp.Diff(object(t, test.answer), object(t, got.Body)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// object reads a JSON object.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return got
}

// ruleBook is a RulesService with one answer.
type ruleBook struct {
	replierv1.UnimplementedRulesServiceServer
	asked chan *replierv1.GetRulesRequest
}

func (r ruleBook) GetRules(_ context.Context, req *replierv1.GetRulesRequest) (*replierv1.GetRulesResponse, error) {
	r.asked <- req
	return &replierv1.GetRulesResponse{Version: 2, Hash: "h", RuleCount: 3, Files: []string{"rules.yaml"},
		Problems: []*replierv1.RulesProblem{{File: "rules.yaml", Line: 4, Column: 5, Text: "t"}}}, nil
}

func TestRESTOfRules(t *testing.T) {
	g, err := service.ListenGRPC(service.NewEnv(slog.New(slog.DiscardHandler)), "listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	book := ruleBook{asked: make(chan *replierv1.GetRulesRequest, 1)}
	replierv1.RegisterRulesServiceServer(g.Server, book)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the replier's Serve: %v", err)
		}
	})
	f := start(t, func(cfg *Config) { cfg.Replier.Addr = g.Addr().String() })
	got := f.do(t, "GET", f.internal+"/v1/rules?account=shop", nil)
	if got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if diff := cmp.Diff(&replierv1.GetRulesRequest{Account: "shop"}, <-book.asked, protocmp.Transform()); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	answer := object(t, got.Body)
	want := []any{map[string]any{"file": "rules.yaml", "line": 4.0, "column": 5.0, "text": "t"}}
	if diff := cmp.Diff(want, answer["problems"]); diff != "" || answer["version"] != "2" || answer["ruleCount"] != 3.0 {
		t.Errorf("answer %v; problems (-want +got):\n%s", answer, diff)
	}
}

// A bot in place of the replier has no rules, and a gateway without oauthsvc no account.
func TestRESTOfWhatIsNotThere(t *testing.T) {
	f := start(t, nil)
	if got := f.do(t, "GET", f.internal+"/v1/rules", nil); got.Status != 501 || object(t, got.Body)["code"] != 12.0 {
		t.Errorf("rules of a bot: %d %s", got.Status, got.Body)
	}
	for _, path := range []string{"/v1/account/access-token", "/v1/oauth/forget"} {
		if got := f.do(t, "POST", f.internal+path, strings.NewReader("{}")); got.Status != 404 {
			t.Errorf("%s without oauthsvc: %d", path, got.Status)
		}
	}
}

// The description tells of errors: every route has the statuses that gRPC's codes become, in one form.
func TestOpenAPIErrors(t *testing.T) {
	var spec struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Description string
				Schema      map[string]string
			}
		}
		Definitions map[string]any
	}
	if err := json.Unmarshal(openAPI, &spec); err != nil {
		t.Fatal(err)
	}
	if spec.Definitions["rpcStatus"] == nil || len(spec.Paths) == 0 {
		t.Fatal("the description has no rpcStatus, or no paths")
	}
	for path, methods := range spec.Paths {
		for method, operation := range methods {
			for _, status := range []string{"400", "401", "403", "404", "409", "429", "500", "501", "503", "504", "default"} {
				got := operation.Responses[status]
				if got.Description == "" || got.Schema["$ref"] != "#/definitions/rpcStatus" {
					t.Errorf("%s %s: %s: %+v", method, path, status, got)
				}
			}
			for status, got := range operation.Responses {
				if status == "200" && got.Schema["$ref"] == "#/definitions/rpcStatus" {
					t.Errorf("%s %s: a good answer is described as an error", method, path)
				}
			}
		}
	}
}
