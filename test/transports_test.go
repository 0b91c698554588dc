package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"wxgate/fakewechat/sender"
	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/test/testproc"
)

// corpusRules say something of each kind, made of the message where that is possible.
const corpusRules = `
rules:
  - {name: text, match: {type: text}, reply: {text: "{{ message.text.content }} ({{ message.msg_id }})"}}
  - {name: image, match: {type: image}, reply: {image: {media_id: "{{ message.image.media_id }}"}}}
  - {name: voice, match: {type: voice}, reply: {voice: {media_id: "{{ message.voice.media_id }}"}}}
  - {name: video, match: {type: video}, reply: {video: {media_id: "{{ message.video.media_id }}", title: a < b & c, description: d}}}
  - {name: location, match: {type: location}, reply: {text: "{{ message.location.label }}"}}
  - {name: link, match: {type: link}, reply: {news: {articles: [{title: "{{ message.link.title }}", description: d, pic_url: "https://example.com/p.png", url: "https://example.com/"}]}}}
  - {name: subscribe, match: {type: event, event: subscribe}, reply: {text: "welcome {{ message.event.event_key }}"}}
  - {name: scan, match: {type: event, event: SCAN}, silent: true}
  - {name: click, match: {type: event, event: CLICK}, reply: {transfer_customer_service: {kf_account: kf@test}}}
`

// answerXML is the reply that WeChat would get for a message, without its time; "" for none.
func answerXML(msg *wechatv1.Message, reply *wechatv1.Reply) string {
	return withoutTime(wechat.EncodeReply(reply, msg.GetFromUserName(), msg.GetToUserName(), 0))
}

var messageID = regexp.MustCompile(`<MsgId>\d+</MsgId>`)

var createTime = regexp.MustCompile(`<CreateTime>\d+</CreateTime>`)

func withoutTime(xml []byte) string { return createTime.ReplaceAllString(string(xml), "") }

// transport asks for the answer to a message and returns it as answerXML does.
type transport func(t *testing.T, callback []byte, msg *wechatv1.Message) string

// callbackTo is a callback as WeChat sends it.
func callbackTo(p *testproc.Process, mode sender.Mode) transport {
	s := testproc.SenderTo(p.Addr("listen"), mode)
	return func(t *testing.T, callback []byte, _ *wechatv1.Message) string {
		t.Helper()
		result, err := s.Send(t.Context(), callback)
		if err != nil || result.Status != http.StatusOK || len(result.Refused) > 0 {
			t.Errorf("%v, %+v", err, result)
			return ""
		}
		return withoutTime(result.XML)
	}
}

// overREST asks at a gateway's internal address.
func overREST(p *testproc.Process) transport {
	url := "http://" + p.Addr("internal-listen") + "/v1/reply"
	return func(t *testing.T, _ []byte, msg *wechatv1.Message) string {
		t.Helper()
		body, err := protojson.Marshal(&replierv1.ReplyRequest{Message: msg})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.Post(url, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		var resp replierv1.ReplyResponse
		if err != nil || answer.StatusCode != http.StatusOK || protojson.Unmarshal(text, &resp) != nil {
			t.Errorf("%v, %d, %s", err, answer.StatusCode, text)
		}
		return answerXML(msg, resp.GetReply())
	}
}

// overGRPC asks a replier.
func overGRPC(t *testing.T, p *testproc.Process) transport {
	t.Helper()
	conn, err := grpc.NewClient(p.Addr("replier-listen"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	replier := replierv1.NewReplierServiceClient(conn)
	return func(t *testing.T, _ []byte, msg *wechatv1.Message) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), testproc.Patience)
		defer cancel()
		resp, err := replier.Reply(ctx, &replierv1.ReplyRequest{Message: msg})
		if err != nil {
			t.Errorf("Reply: %v", err)
		}
		return answerXML(msg, resp.GetReply())
	}
}

// TestTransportsAgree: every message that WeChat documents gets the same answer in one process, with the services apart, over gRPC,
// over REST, and as a callback in the clear and sealed.
func TestTransportsAgree(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(corpusRules), 0o600); err != nil {
		t.Fatal(err)
	}
	together := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=compat", "WXGATE_RULES="+rules)...), "serve")
	replier := testproc.Start(t, testproc.Env("WXGATE_RULES="+rules), "replier")
	apart := testproc.Start(t, testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=plain", "WXGATE_REPLIER="+replier.Addr("replier-listen"))...), "gateway")
	transports := map[string]transport{
		"in process, sealed":  callbackTo(together, "safe"),
		"in process, REST":    overREST(together),
		"in process, gRPC":    overGRPC(t, together),
		"apart, in the clear": callbackTo(apart, "plain"),
		"apart, REST":         overREST(apart),
		"apart, gRPC":         overGRPC(t, replier),
	}
	samples, err := filepath.Glob("../internal/wechat/testdata/samples/inbound/*.xml")
	if err != nil || len(samples) < 80 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	answered := 0
	for i, sample := range samples {
		name := strings.TrimSuffix(filepath.Base(sample), ".xml")
		if strings.HasPrefix(name, "envelope.") {
			continue // is sealed with another's key
		}
		t.Run(name, func(t *testing.T) {
			callback, err := os.ReadFile(sample)
			if err != nil {
				t.Fatal(err)
			}
			callback = messageID.ReplaceAll(callback, fmt.Appendf(nil, "<MsgId>%d</MsgId>", i+1)) // one id is one message
			msg, err := wechat.Decode(callback)
			if err != nil {
				t.Fatal(err)
			}
			want := transports["apart, gRPC"](t, callback, msg)
			if want != "" {
				answered++
			}
			for transport, ask := range transports {
				if got := ask(t, callback, msg); got != want {
					t.Errorf("%s: got %s, want %s", transport, got, want)
				}
			}
		})
	}
	if answered < 14 {
		t.Errorf("%d messages are answered; the rules answer more", answered)
	}
}
