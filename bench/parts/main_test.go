package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/wechat"
)

// TestHandler: it echoes a signed text, once, and says so; others are refused.
func TestHandler(t *testing.T) {
	var log bytes.Buffer
	metrics := prometheus.NewRegistry()
	h := newHandler("token", slog.New(slog.NewJSONHandler(&log, nil)), metrics)
	ask := func(signature, text string) *httptest.ResponseRecorder {
		body := fmt.Sprintf("<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oABCDEFGHIJKLMNOPQRSTUVWXYZ0</FromUserName><CreateTime>1700000000</CreateTime>"+
			"<MsgType>text</MsgType><Content>%s</Content><MsgId>7</MsgId></xml>", text)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?timestamp=1700000000&nonce=n&signature="+signature, strings.NewReader(body)))
		return w
	}
	good := wechat.Signature("token", "1700000000", "n")
	for _, text := range []string{"hello", "another text of the same message"} {
		if w := ask(good, text); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<Content><![CDATA[hello]]></Content>") {
			t.Errorf("%s: got %d, %s", text, w.Code, w.Body)
		}
	}
	if w := ask("bad", "hello"); w.Code != http.StatusForbidden {
		t.Errorf("a bad signature: got %d", w.Code)
	}
	if w := ask(good, "<"); w.Code != http.StatusBadRequest {
		t.Errorf("no XML: got %d", w.Code)
	}
	var line map[string]any
	first, _, _ := strings.Cut(log.String(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil || line["msg_id"] != 7.0 || line["outcome"] != "replied" || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("logged %s, %v", log.String(), err)
	}
	families, err := metrics.Gather()
	if err != nil || len(families) != 2 {
		t.Errorf("counted %v, %v", families, err)
	}
}
