package fakewechat

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

// v1 makes a call of a test in another language.
func (s *site) v1(t *testing.T, method, path, body string, header ...string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/fake/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if json.Unmarshal(raw, &answer) != nil {
		answer = map[string]any{"text": string(raw)}
	}
	return resp.StatusCode, answer
}

// wantV1 expects an answer with status 200.
func (s *site) wantV1(t *testing.T, method, path, body, want string) {
	t.Helper()
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	status, got := s.v1(t, method, path, body)
	if diff := cmp.Diff(wanted, got); diff != "" || status != http.StatusOK {
		t.Errorf("%s %s: status %d (-want +got):\n%s", method, path, status, diff)
	}
}

// plain takes the times out of an answer of messages.
func plain(answer map[string]any) map[string]any {
	attempts, _ := answer["attempts"].([]any)
	for _, a := range attempts {
		delete(a.(map[string]any), "at")
		delete(a.(map[string]any), "took_ms")
	}
	return answer
}

func TestV1Messages(t *testing.T) {
	gw, got := gateway(t, http.StatusOK, fixed(as("text", "<Content><![CDATA[<b>你好]]></Content>")))
	s := newSite(t, Config{Gateway: gw})
	sent := as("text", "<Content><![CDATA[<b>你好]]></Content>")
	status, answer := s.v1(t, "POST", "messages", `{"kind": "text", "args": ["hello"], "from": "`+sender.User+`"}`)
	want := map[string]any{
		"attempts": []any{map[string]any{"attempt": 1.0, "copy": false, "faults": []any{}, "status": 200.0, "refused": []any{}}},
		"reply":    map[string]any{"MsgType": "text", "Content": "<b>你好"}, "xml": sent, "refused": []any{}, "warnings": []any{}, "hidden": false, "shown": "",
	}
	if diff := cmp.Diff(want, plain(answer)); diff != "" || status != http.StatusOK {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
	if !bytes.Contains(got.body, []byte("<![CDATA[hello]]>")) {
		t.Errorf("sent %s", got.body)
	}
	if s.sends(t, sender.User); len(s.platform.Sent(sender.User)) != 5 {
		t.Error("the Platform does not know that the user wrote")
	}

	callback := string(compose(t, "image"))
	raw, _ := json.Marshal(map[string]string{"xml": callback})
	if _, answer = s.v1(t, "POST", "messages", string(raw)); string(got.body) != callback || answer["shown"] != "" {
		t.Errorf("sent %s, %v", got.body, answer)
	}
	if _, page := s.get(t, logPath); !strings.Contains(page, "send text hello (attempt 1 of 3)") {
		t.Error("the page does not show it")
	}
}

func TestV1Refused(t *testing.T) {
	gw, _ := gateway(t, http.StatusInternalServerError, fixed("oops"))
	s := newSite(t, Config{Gateway: gw})
	_, answer := s.v1(t, "POST", "messages", `{"kind": "text", "args": ["x"]}`)
	reasons := []any{"the status is 500, not 200"}
	want := map[string]any{
		"attempts": []any{map[string]any{"attempt": 1.0, "copy": false, "faults": []any{}, "status": 500.0, "refused": reasons}},
		"reply":    map[string]any{}, "xml": "", "refused": reasons, "warnings": []any{}, "hidden": false, "shown": sender.ServiceFailed,
	}
	if diff := cmp.Diff(want, plain(answer)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.platform.SetFaults(Faults{RetryEarly: 1, RetryAfter: time.Millisecond, Lose: 0.9, Seed: 1})
	_, answer = s.v1(t, "POST", "messages", `{"kind": "text", "args": ["x"]}`)
	attempts, _ := answer["attempts"].([]any)
	first, _ := attempts[0].(map[string]any)
	if len(attempts) < 2 || !cmp.Equal(first["faults"], []any{"retry_early", "lose"}) || !strings.HasPrefix(first["error"].(string), "send: no answer within 0.0 s") {
		t.Errorf("got %v", answer)
	}
}

func TestV1Users(t *testing.T) {
	s := newSite(t, Config{})
	s.wantV1(t, "GET", "sent?openid=oA", "", `{"messages": []}`)
	s.wantV1(t, "POST", "users/oA/actions", `{"action": "followed"}`, `{}`)
	s.wantSends(t, "oA", 3, 45047)
	s.wantV1(t, "POST", "users/oA/actions", `{"action": "unfollowed"}`, `{}`)
	s.wantSends(t, "oA", 0, 45015)
	_, answer := s.v1(t, "GET", "sent?openid=oA", "")
	messages, _ := answer["messages"].([]any)
	if len(messages) != 3 {
		t.Fatalf("got %v", answer)
	}
	first, _ := messages[0].(map[string]any)
	if first["at"] == "" || first["type"] != "text" || first["account"] != "" || first["app_id"] != testAccount(sender.Plain).AppID || !cmp.Equal(first["fields"], any(map[string]any{"content": "hi"})) {
		t.Errorf("got %v", first)
	}
	for name, action := range actions {
		s.wantV1(t, "POST", "users/o"+name+"/actions", `{"action": "`+name+`"}`, `{}`)
		want := 0
		if action != Unfollowed {
			want = min(allowed[action].count, 50)
		}
		if got, _ := s.sends(t, "o"+name); got != want {
			t.Errorf("%s: %d messages, want %d", name, got, want)
		}
	}
}

func TestV1Calls(t *testing.T) {
	s := newSite(t, Config{})
	s.wantV1(t, "GET", "calls?path="+plainPath, "", `{"calls": 0}`)
	s.wantV1(t, "POST", "fail", `{"path": "`+plainPath+`", "n": 2, "errcode": -1}`, `{}`)
	s.wantAPI(t, plainPath+plainQuery, "", -1)
	s.wantV1(t, "GET", "calls?path="+plainPath, "", `{"calls": 1}`)
	s.wantV1(t, "POST", "fail", `{"path": "`+plainPath+`"}`, `{}`)
	if got := s.api(t, plainPath+plainQuery, ""); got["access_token"] == nil {
		t.Errorf("got %v", got)
	}
	path := s.with(t, typingPath)
	s.wantV1(t, "POST", "expire-token", "", `{}`)
	s.wantAPI(t, path, "{}", 42001)
}

func TestV1Reset(t *testing.T) {
	gw, _ := gateway(t, http.StatusOK, fixed("success"))
	s := newSite(t, Config{Gateway: gw, Faults: Faults{Seed: 9, Twice: 1}})
	code := s.code(t, "snsapi_base")
	path := s.with(t, typingPath)
	s.v1(t, "POST", "messages", `{"kind": "text", "args": ["x"], "from": "oA"}`)
	s.sends(t, "oA")
	s.platform.Fail(typingPath, 5, -1)
	s.platform.RefuseIP(true)
	s.platform.SetFaults(Faults{Lose: 1})
	s.wantV1(t, "POST", "reset", "", `{}`)
	if got := s.platform.Faults(); !cmp.Equal(got, Faults{Seed: 9, Twice: 1}) {
		t.Errorf("faults %v", got)
	}
	s.wantV1(t, "GET", "calls?path="+stablePath, "", `{"calls": 0}`)
	s.wantV1(t, "GET", "sent?openid=oA", "", `{"messages": []}`)
	s.wantAPI(t, path, "{}", 40001)
	s.wantSends(t, "oA", 0, 40003)
	s.wantSends(t, sender.User, 0, 45015)
	s.wantErrcode(t, exchange+code, 40029)
	if got := s.api(t, s.with(t, quotaPath), `{"cgi_path": "`+sendPath+`"}`); got["errcode"] != 0.0 {
		t.Errorf("the quota is gone: %v", got)
	}
}

func TestV1Faults(t *testing.T) {
	s := newSite(t, Config{})
	_, answer := s.v1(t, "GET", "faults", "")
	if len(answer) != len(FaultNames()) || answer["lose"] != 0.0 || answer["delay"] != "0s" {
		t.Errorf("got %v", answer)
	}
	status, answer := s.v1(t, "PUT", "faults", `{"lose": 0.5, "delay": "2s", "seed": 7, "api_errors": {"45009": 0.1}}`)
	if status != http.StatusOK || answer["lose"] != 0.5 || answer["seed"] != 7.0 {
		t.Errorf("status %d, %v", status, answer)
	}
	want := Faults{Lose: 0.5, Delay: 2 * time.Second, Seed: 7, APIErrors: map[int]float64{45009: 0.1}}
	if diff := cmp.Diff(want, s.platform.Faults()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, answer = s.v1(t, "PUT", "faults", `{"lose": 1}`); answer["seed"] == 0.0 {
		t.Error("no seed was made up")
	}
	s.v1(t, "PUT", "faults", `{}`)
	if got := s.platform.Faults(); !cmp.Equal(got, Faults{}) {
		t.Errorf("got %v", got)
	}
}

func TestV1Errors(t *testing.T) {
	gw, _ := gateway(t, http.StatusOK, fixed("success"))
	long := strings.Repeat("o", maxOpenID+1)
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "messages", ``, "the body must be a JSON object"},
		{"POST", "messages", `[]`, "the body must be a JSON object, not a JSON array"},
		{"POST", "messages", `{"kind": 1}`, `"kind" must not be a JSON number`},
		{"POST", "messages", `{"kind": "text"} {}`, "the body must be one JSON object and nothing after it"},
		{"POST", "messages", `{"kind": "text", "arg": "x"}`, `unknown key "arg"`},
		{"POST", "messages", `{"kind": "sticker"}`, `unknown kind "sticker"; kinds: text`},
		{"POST", "messages", `{"kind": "location", "args": ["1"]}`, "usage: location X Y"},
		{"POST", "messages", `{"kind": "text", "args": ["x"], "from": "` + long + `"}`, "from is longer than 128 bytes"},
		{"POST", "messages", `{"kind": "text", "xml": "<xml></xml>"}`, "xml is a whole callback"},
		{"POST", "messages", `{"kind": "text", "message": {"text": {}}}`, "kind and args must not stand beside it"},
		{"POST", "messages", `{"message": {"text": {"contents": "x"}}}`, `message: unknown field "contents"`},
		{"POST", "messages", `{"message": null}`, "message: unexpected token null"},
		{"POST", "messages", `{"from": "oA", "xml": "<xml><FromUserName>oB</FromUserName></xml>"}`, "FromUserName is another user"},
		{"POST", "messages", `{"xml": "<xml>"}`, "the callback is not XML"},
		{"POST", "messages", `{"xml": "` + strings.Repeat("<a>", 100_000) + `"}`, "the callback is not XML"},
		{"POST", "messages", `{"xml": "` + strings.Repeat("a", maxControlBody) + `"}`, "the body is longer than 4 MiB"},
		{"GET", "sent", ``, "the parameter openid is missing"},
		{"POST", "users/oA/actions", `{"action": "slept"}`, `unknown action "slept"; there are followed, paid`},
		{"POST", "users/oA/actions", `null`, `unknown action ""`},
		{"POST", "users/" + long + "/actions", `{"action": "wrote"}`, "an openid has 1 to 128 bytes"},
		{"POST", "fail", `{"path": "/x", "n": 1, "errcode": 1}`, `"/x" is not the path of an API call; there are /cgi-bin/`},
		{"POST", "fail", `{"path": "` + plainPath + `", "n": 1}`, "errcode is missing"},
		{"POST", "fail", `{"path": "` + plainPath + `", "n": -1, "errcode": 1}`, "n must be from 0 to 1000000"},
		{"POST", "fail", `{"path": "` + plainPath + `", "n": 1e9, "errcode": 1}`, `"n" must not be a JSON number`},
		{"GET", "calls", ``, `"" is not the path of an API call`},
		{"PUT", "faults", `{"loose": 1, "lose": 2}`, `"lose": it must be a rate`},
		{"PUT", "faults", `{"loose": 1}`, `unknown: "loose"; there are seed, lose`},
		{"PUT", "faults", `{"lose": 1`, "faults must be a JSON object"},
		{"PUT", "faults", `{"x": "` + strings.Repeat("x", maxForm) + `"}`, "longer than 64 KiB"},
	} {
		t.Run(test.path+" "+test.want, func(t *testing.T) {
			s := newSite(t, Config{Gateway: gw})
			status, answer := s.v1(t, test.method, test.path, test.body)
			text, _ := answer["error"].(string)
			if status != http.StatusBadRequest || !strings.Contains(text, test.want) || len(text) > 2000 {
				t.Errorf("status %d, %v", status, answer)
			}
		})
	}
	s := newSite(t, Config{})
	if status, answer := s.v1(t, "POST", "messages", `{"kind": "text", "args": ["x"]}`); status != http.StatusNotFound || !strings.HasPrefix(answer["error"].(string), "no gateway") {
		t.Errorf("status %d, %v", status, answer)
	}
	for _, path := range []string{"nothing", "faults/x", "users//actions"} {
		if status, _ := s.v1(t, "GET", path, ""); status < 300 || status >= 500 {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if status, _ := s.v1(t, "DELETE", "faults", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: status %d", status)
	}
}

func TestV1Limit(t *testing.T) {
	var again error
	var call controlCall
	call = limitCalls(1, func(w http.ResponseWriter, r *http.Request) (any, error) {
		_, again = call(w, r)
		return done, nil
	})
	for range 2 {
		if _, err := call(nil, nil); err != nil {
			t.Errorf("the first: %v", err)
		}
		if again == nil || again.Error() != "1 messages are on their way; wait for one of them" {
			t.Errorf("the second: %v", again)
		}
	}
}

// TestV1Origin: a page of another origin steers nothing.
func TestV1Origin(t *testing.T) {
	s := newSite(t, Config{})
	for path, method := range map[string]string{"faults": "PUT", "messages": "POST", "users/oA/actions": "POST", "fail": "POST", "expire-token": "POST", "reset": "POST"} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil.test"}} {
			if status, answer := s.v1(t, method, path, `{"lose": 1}`, header...); status != http.StatusForbidden {
				t.Errorf("%s with %v: status %d, %v", path, header, status, answer)
			}
		}
	}
	if status, _ := s.v1(t, "PUT", "faults", `{}`, "Sec-Fetch-Site", "same-origin"); status != http.StatusOK {
		t.Errorf("same origin: status %d", status)
	}
}

// TestV1LogsNoSecret: the log has neither texts nor openids.
func TestV1LogsNoSecret(t *testing.T) {
	var log bytes.Buffer
	gw, _ := gateway(t, http.StatusOK, fixed(as("text", "<Content>answerwords</Content>")))
	s := newSite(t, Config{Gateway: gw, Log: slog.New(slog.NewJSONHandler(&log, nil))})
	s.v1(t, "PUT", "faults", `{"twice": 1, "control_characters": 1}`)
	s.v1(t, "POST", "messages", `{"kind": "text", "args": ["questionwords"], "from": "oSecretUser"}`)
	s.v1(t, "GET", "sent?openid="+url.QueryEscape("oSecretUser"), "")
	if !strings.Contains(log.String(), "control_characters") {
		t.Errorf("the log does not tell of faults:\n%s", log.String())
	}
	for _, secret := range []string{"questionwords", "answerwords", "oSecretUser", testAccount(sender.Plain).Token} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q:\n%s", secret, log.String())
		}
	}
}
