package sender

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

func FuzzLayOut(f *testing.F) {
	f.Fuzz(func(t *testing.T, content, name string) {
		m := &wechatv1.Message{
			MsgType: "text", Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: content}},
			Extra: []*wechatv1.Element{{Name: "Box", Children: []*wechatv1.Element{{Name: "Empty"}, {Name: "Text", Text: content}}}},
		}
		xml := wechat.EncodeMessage(m)
		if want, err := wechat.Decode(xml); err == nil { // but text that XML can't have
			got, err := wechat.Decode(layOut(xml))
			if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s\n%q", err, diff, layOut(xml))
			}
		}
		m.Extra[0].Name = name
		xml = wechat.EncodeMessage(m)
		if got := strings.ReplaceAll(string(layOut(xml)), "\n", ""); got != strings.ReplaceAll(string(xml), "\n", "") {
			t.Errorf("got %q; want %q", got, xml)
		}
	})
}

// TestSendBroken: what is no XML is sent as it is where its user is known, sealed as ever, and judged.
func TestSendBroken(t *testing.T) {
	reply := strings.NewReplacer(account, User, User, account)
	for _, broken := range []string{"<xml><ToUserName>a</ToUserName><b></xml>", "hello", "</"} {
		for _, mode := range []Mode{Plain, Compat, Safe} {
			acc := testAccount(mode)
			gw, got := gateway(t, 200, fixed(as("text", "<Content>hi</Content>")))
			r, err := (&Sender{URL: gw, Account: acc, From: User}).Send(t.Context(), []byte(broken))
			if err != nil {
				t.Fatal(err)
			}
			if sealedOnly := mode == Safe; (len(r.Refused) > 0) != sealedOnly { // the reply is plain
				t.Errorf("%s %q: refused %q", mode, broken, r.Refused)
			}
			if got.query().Get("openid") != User {
				t.Errorf("%s %q: openid %q", mode, broken, got.query().Get("openid"))
			}
			body := string(got.body)
			if mode != Plain {
				_, rest, _ := strings.Cut(body, "<Encrypt><![CDATA[")
				encrypt, _, _ := strings.Cut(rest, "]]>")
				body = unseal(t, acc, encrypt)
			}
			if body != broken {
				t.Errorf("%s: got %q; want %q", mode, body, broken)
			}
			swapped, _ := gateway(t, 200, fixed(reply.Replace(as("text", "<Content>hi</Content>"))))
			r, err = (&Sender{URL: swapped, Account: acc, From: User}).Send(t.Context(), []byte(broken))
			if err != nil || len(r.Refused) == 0 || !strings.Contains(r.Refused[len(r.Refused)-1], "swapped") {
				t.Errorf("%s %q: a swapped reply: %v, %v", mode, broken, r, err)
			}
		}
	}
	if _, err := (&Sender{Account: testAccount(Plain)}).Send(t.Context(), []byte("hello")); err == nil {
		t.Error("sent for nobody")
	}
}

// TestMessageErrors: protojson's errors read alike, whichever blank its build has.
func TestMessageErrors(t *testing.T) {
	for _, place := range []string{"proto: (line 1:2): ", "proto:\u00a0(line 10:20): ", "proto: syntax error (line 1:2): ", "proto:\u00a0", "proto: "} {
		if got := protojsonPlace.ReplaceAllString(place+"unknown field", ""); got != "unknown field" {
			t.Errorf("%q: got %q", place, got)
		}
	}
}
