package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	gh    = "gh_bench0000000"
	users = 10_000
)

// benchAccount is an account of a system.
type benchAccount struct {
	name, token string
	cipher      *wechat.Cipher // nil: plain
}

// newMessage returns the text message of a number: no two are the same, and all have the same size.
func (a *benchAccount) newMessage(n int64) *wechatv1.Message {
	return &wechatv1.Message{
		Account: a.name, ToUserName: gh, FromUserName: fmt.Sprintf("oBenchTestUser%014d", n%users), CreateTime: time.Now().Unix(),
		MsgType: "text", MsgId: 24_000_000_000_000_000 + n,
		Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: fmt.Sprintf("message number %012d", n)}},
	}
}

// callbackRequest returns the HTTP request of a message, signed, and sealed if the account is in safe mode.
func (a *benchAccount) callbackRequest(host string, m *wechatv1.Message) []byte {
	body := wechat.EncodeMessage(m)
	timestamp, nonce := strconv.FormatInt(m.CreateTime, 10), strconv.FormatInt(m.MsgId%1e9, 10)
	query := "signature=" + wechat.Signature(a.token, timestamp, nonce) + "&timestamp=" + timestamp + "&nonce=" + nonce + "&openid=" + url.QueryEscape(m.FromUserName)
	if a.cipher != nil {
		sealed := a.cipher.Seal(body)
		query += "&encrypt_type=aes&msg_signature=" + wechat.Signature(a.token, timestamp, nonce, sealed)
		body = fmt.Appendf(nil, "<xml>\n    <ToUserName><![CDATA[%s]]></ToUserName>\n    <Encrypt><![CDATA[%s]]></Encrypt>\n</xml>", m.ToUserName, sealed)
	}
	b := fmt.Appendf(make([]byte, 0, 2048), "POST /wechat/%s?%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\nPragma: no-cache\r\n"+
		"Content-Type: text/xml\r\nContent-Length: %d\r\n\r\n", a.name, query, host, len(body))
	return append(b, body...)
}

// checkEcho returns an error if an answer is not the echo of a message, sealed if the account is in safe mode.
func (a *benchAccount) checkEcho(m *wechatv1.Message, answer []byte) error {
	if a.cipher != nil {
		opened, err := a.openReply(answer)
		if err != nil {
			return err
		}
		answer = opened
	}
	want := wechat.EncodeReply(echoReply(m), m.FromUserName, m.ToUserName, m.CreateTime)
	if len(answer) != len(want) { // the times may differ
		return fmt.Errorf("got an answer of %d bytes; want the echo, %d bytes", len(answer), len(want))
	}
	echo := fmt.Appendf(nil, "<![CDATA[%s]]>", m.GetText().GetContent())
	to := fmt.Appendf(nil, "<ToUserName><![CDATA[%s]]>", m.FromUserName)
	if !bytes.Contains(answer, echo) || !bytes.Contains(answer, to) {
		return errors.New("the answer is not the echo of the message")
	}
	return nil
}

// openReply checks the signature of a sealed answer, and returns its content.
func (a *benchAccount) openReply(answer []byte) ([]byte, error) {
	d, err := wechat.Parse(answer)
	if err != nil {
		return nil, err
	}
	sealed, _ := d.Text("Encrypt")
	signature, _ := d.Text("MsgSignature")
	timestamp, _ := d.Text("TimeStamp")
	nonce, _ := d.Text("Nonce")
	if !wechat.VerifySignature(signature, a.token, timestamp, nonce, sealed) {
		return nil, errors.New("the answer's signature is wrong")
	}
	return a.cipher.Open(sealed)
}

// echoReply returns the answer of the echo rule.
func echoReply(m *wechatv1.Message) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: m.GetText().GetContent()}}}
}
