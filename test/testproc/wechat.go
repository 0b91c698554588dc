package testproc

import (
	"net/http/httptest"
	"testing"
	"time"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
)

// SenderTo returns a sender of signed callbacks to a gateway.
func SenderTo(addr string, mode sender.Mode) *sender.Sender {
	return &sender.Sender{URL: "http://" + addr + "/", Account: sender.Account{
		AppID: AppID, AppSecret: AppSecret, Token: Token, AESKey: AESKey, OriginalID: OriginalID, Mode: mode,
	}}
}

// Say sends a message and returns the reply's Content, "" for success.
func Say(t *testing.T, s *sender.Sender, kind string, args ...string) string {
	t.Helper()
	callback, err := sender.Compose(OriginalID, User, time.Now(), kind, args...)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Send(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Refused) > 0 {
		t.Fatalf("%s %q: WeChat would refuse the answer: %q", kind, args, result.Refused)
	}
	for _, f := range result.Fields {
		if f.Name == "Content" {
			return f.Value
		}
	}
	return ""
}

// Platform is the fake WeChat of these tests, whose API calls come over HTTP.
func Platform(t *testing.T) (*fakewechat.Platform, string) {
	t.Helper()
	p := fakewechat.New(fakewechat.Config{Account: sender.Account{AppID: AppID, AppSecret: AppSecret, Token: Token, OriginalID: OriginalID}})
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL
}

// Pushed returns the texts of the customer-service messages that the user got.
func Pushed(p *fakewechat.Platform) []string {
	var all []string
	for _, m := range p.Sent(User) {
		all = append(all, m.Fields[0].Value)
	}
	return all
}

// ComposeText returns a text of User for an account.
func ComposeText(t *testing.T, to, content string) []byte {
	t.Helper()
	callback, err := sender.Compose(to, sender.User, time.Now(), "text", content)
	if err != nil {
		t.Fatal(err)
	}
	return callback
}
