package fakewechat_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
)

// echo is a bot that repeats what it is told, in plain XML.
func echo(w http.ResponseWriter, r *http.Request) {
	var m struct{ ToUserName, FromUserName, MsgType, Content string }
	_ = xml.NewDecoder(r.Body).Decode(&m)
	if m.MsgType != "text" {
		_, _ = fmt.Fprint(w, "success")
		return
	}
	_, _ = fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime>"+
		"<MsgType>text</MsgType><Content><![CDATA[%s]]></Content></xml>", m.FromUserName, m.ToUserName, time.Now().Unix(), m.Content)
}

// A bot's test, without WeChat: echo stands for any bot with a callback URL.
func Example() {
	bot := httptest.NewServer(http.HandlerFunc(echo))
	defer bot.Close()

	wechat, _ := fakewechat.Start(fakewechat.Config{Gateway: bot.URL})
	defer wechat.Close()
	answer, _ := wechat.Send(context.Background(), "text", "hello")
	fmt.Println(answer.Reply()["Content"], answer.Refused)
	// Output: hello []
}

func start(t *testing.T, gateway string) *fakewechat.Server {
	t.Helper()
	s, err := fakewechat.Start(fakewechat.Config{Gateway: gateway})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestStart(t *testing.T) {
	bot := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(bot.Close)
	s := start(t, bot.URL)
	if s.Account() != sender.DevAccount() {
		t.Errorf("the account is %+v, not DevAccount", s.Account())
	}
	silent, err := s.SendFrom(t.Context(), "oSomebody", "event", "subscribe")
	if err != nil || silent.Answer == nil || len(silent.Reply()) != 0 || len(silent.Refused) != 0 {
		t.Errorf("subscribe: %+v, %v; want success, and nothing said", silent, err)
	}
	whole, err := s.SendXML(t.Context(), []byte("<xml><ToUserName>gh_x</ToUserName><FromUserName>o_x</FromUserName>"+
		"<MsgType>text</MsgType><Content>hi</Content></xml>"))
	if err != nil || whole.Reply()["Content"] != "hi" || len(whole.Refused) != 0 {
		t.Errorf("a whole callback: %+v, %v; want hi", whole, err)
	}
	resp, err := http.Get(s.URL + "/fake/v1/faults")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d", s.URL, resp.StatusCode)
	}
	s.Close()
	if _, err := http.Get(s.URL); err == nil {
		t.Error("it serves after Close")
	}
}

func TestSendRefuses(t *testing.T) {
	if _, err := start(t, "").Send(t.Context(), "text", "hello"); err == nil {
		t.Error("a message went out without a gateway")
	}
	s := start(t, "http://127.0.0.1:1/")
	if _, err := s.Send(t.Context(), "txt", "hello"); err == nil {
		t.Error("an unknown kind was sent")
	}
	if _, err := s.SendXML(t.Context(), []byte("<xml>")); err == nil {
		t.Error("broken XML was sent")
	}
}
