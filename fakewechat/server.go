package fakewechat

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"wxgate/fakewechat/sender"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Server is a Platform that is served on an address of this machine, for tests.
type Server struct {
	*Platform
	URL string // http://127.0.0.1:…: the page, and the fakes of https://api.weixin.qq.com and https://open.weixin.qq.com

	http *http.Server
}

// Start serves a Platform on a free port of the loopback interface. The error is the network's. The caller must close it.
func Start(cfg Config) (*Server, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fakewechat: %w", err)
	}
	p := New(cfg)
	s := &Server{p, "http://" + lis.Addr().String(), &http.Server{Handler: p, ReadHeaderTimeout: 2 * sender.Patience}}
	go func() { _ = s.http.Serve(lis) }()
	return s, nil
}

// Close stops the server, and the messages that the page sent.
func (s *Server) Close() {
	s.Platform.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
}

// Send sends a callback of User to the gateway, up to three times as WeChat does, and shows it on the page. Kind and arguments
// are those of sender.Compose. An error means that the callback cannot be sent.
func (p *Platform) Send(ctx context.Context, kind string, args ...string) (*Delivery, error) {
	return p.SendFrom(ctx, sender.User, kind, args...)
}

// SendFrom is Send for the user with an openid.
func (p *Platform) SendFrom(ctx context.Context, openid, kind string, args ...string) (*Delivery, error) {
	return p.sendShown(ctx, userInput{from: openid, kind: kind, args: args})
}

// SendMessage is SendFrom for a message of any kind; see sender.ComposeMessage.
func (p *Platform) SendMessage(ctx context.Context, openid string, message *wechatv1.Message) (*Delivery, error) {
	callback, err := sender.ComposeMessage(p.accountByAppID("").settings.ReceiverID(), openid, p.now(), message)
	if err != nil {
		return nil, err
	}
	return p.SendXML(ctx, callback)
}

// SendXML is Send for a whole plain callback, of the account with its ToUserName as original id.
func (p *Platform) SendXML(ctx context.Context, callback []byte) (*Delivery, error) {
	return p.sendShown(ctx, userInput{xml: string(callback)})
}

// Reply returns the answer's values by their path: MsgType, Content, Image.MediaId, Articles[0].Title. It is empty if the
// account sends no reply.
func (d *Delivery) Reply() map[string]string {
	if d.Answer == nil {
		return map[string]string{}
	}
	return fieldValues(d.Answer.Fields)
}
