// Package sender sends callbacks to a gateway as WeChat does: it composes messages and events, signs and seals them, posts
// them, and judges the answers as WeChat would.
//
// The facts come from the platform's pages "消息推送" (message push), "消息加解密" (message encryption) and
// "被动回复用户消息" (passive reply), and from recorded traffic. Answers are read with encoding/xml and not with the gateway's
// own parser, so that a mistake there is not made twice.
package sender

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"wxgate/internal/wechat"
)

// Patience is how long WeChat waits for an answer.
const Patience = 5 * time.Second

// MaxAttempts is how many times WeChat sends a callback that gets no answer (platform.md A.6).
const MaxAttempts = 3

const maxAnswer = 1 << 20 // bytes of an answer that are read

// Sender sends callbacks to a gateway as WeChat does. It is safe for concurrent use.
type Sender struct {
	URL     string // the callback URL, as it would stand in WeChat's console; any port will do
	Account Account
	Client  *http.Client     // nil: a new one for each call, which waits 5 s. It never follows a redirect
	Now     func() time.Time // nil: time.Now

	// From, if not empty, is the user of callbacks without a FromUserName, and of callbacks that are not XML, which are then
	// sent as they are. If From is empty, Send rejects them.
	From string

	// BeforeSend, if not nil, is called before each callback is sent: the gateway may answer at once. A fake platform
	// opens its windows for customer-service messages by it.
	BeforeSend func(Callback)
	// PlatformURL, if not empty, is the address of a fake platform in another process that gets a copy of each callback
	// before it is sent. If it is unreachable, the callback is sent all the same.
	PlatformURL string
}

// AnnouncePath is the path of a fake platform to which a Sender with a PlatformURL posts each callback.
const AnnouncePath = "/fake/told"

// Outgoing is a callback that is ready to be signed.
type Outgoing struct {
	Callback Callback
	mode     Mode
	cipher   *wechat.Cipher // nil in plain mode
}

// SignedRequest is a callback as it is posted: signed, and sealed if the account's mode requires it.
type SignedRequest struct {
	Query string
	Body  []byte
}

// Send signs a callback's plain XML, seals it if the account's mode requires it, posts it once, and judges the answer.
// An error means that there is no answer to judge: the gateway is unreachable or took more than 5 s, the callback is not XML
// and From is empty, or the account's mode, key or AppID is invalid.
func (s *Sender) Send(ctx context.Context, callback []byte) (*Result, error) {
	o, err := s.Prepare(callback)
	if err != nil {
		return nil, err
	}
	s.announce(ctx, o.Callback)
	return s.Post(ctx, o, s.Sign(o, s.Account.Token, s.currentTime()))
}

// Prepare reads a callback, and checks the account's mode, key and AppID.
func (s *Sender) Prepare(callback []byte) (*Outgoing, error) {
	c, err := s.ReadCallback(callback)
	if err != nil {
		return nil, err
	}
	mode, cipher, err := s.Account.newCipher()
	if err != nil {
		return nil, err
	}
	return &Outgoing{c, mode, cipher}, nil
}

// ReadCallback is the function ReadCallback, but if From is not empty, a missing user is replaced by From, and a callback that
// is not XML is addressed to the Sender's account.
func (s *Sender) ReadCallback(plain []byte) (Callback, error) {
	c, err := ReadCallback(plain)
	if s.From == "" {
		return c, err
	}
	if err != nil {
		c.To = s.Account.ReceiverID()
	}
	c.From = cmp.Or(c.From, s.From)
	return c, nil
}

// announce passes a callback to the fake platforms before it is sent.
func (s *Sender) announce(ctx context.Context, c Callback) {
	if s.BeforeSend != nil {
		s.BeforeSend(c)
	}
	if s.PlatformURL != "" {
		s.announceTo(ctx, s.PlatformURL, c)
	}
}

// announceTo posts a callback to a fake platform in another process.
func (s *Sender) announceTo(ctx context.Context, platform string, c Callback) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(platform, "/")+AnnouncePath, bytes.NewReader(c.XML))
	if err != nil {
		return
	}
	if resp, err := s.HTTPClient().Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// Sign signs a callback with a token and a timestamp, which a fake platform may falsify.
func (s *Sender) Sign(o *Outgoing, token string, at time.Time) SignedRequest {
	query, timestamp, nonce := signedQuery(token, at)
	if o.Callback.From != "" {
		query += "&openid=" + url.QueryEscape(o.Callback.From)
	}
	if o.cipher == nil {
		return SignedRequest{query, o.Callback.XML}
	}
	sealed := o.cipher.Seal(o.Callback.XML)
	query += "&encrypt_type=aes&msg_signature=" + wechat.Signature(token, timestamp, nonce, sealed)
	return SignedRequest{query, sealedBody(o.mode, o.Callback, sealed)}
}

// Post posts a signed callback once, and judges the answer.
func (s *Sender) Post(ctx context.Context, o *Outgoing, signed SignedRequest) (*Result, error) {
	status, answer, took, err := s.roundTrip(ctx, http.MethodPost, signed.Query, signed.Body)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	return judgeAnswer(s.Account, o, status, answer, took), nil
}

// Verify makes the GET with which WeChat's console checks a callback URL; the answer must be echostr byte for byte.
func (s *Sender) Verify(ctx context.Context) error {
	query, _, _ := signedQuery(s.Account.Token, s.currentTime())
	echostr := strconv.FormatInt(rand.Int64(), 10)
	status, answer, took, err := s.roundTrip(ctx, http.MethodGet, query+"&echostr="+echostr, nil)
	switch {
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case status != http.StatusOK:
		return fmt.Errorf("verify: %w", Because("the status is %d, not 200: check the token", status))
	case took > Patience:
		return fmt.Errorf("verify: %w", Because("the answer took %.1f s; WeChat hangs up after 5 s", took.Seconds()))
	case string(answer) != echostr:
		return fmt.Errorf("verify: %w", Because("the answer (%d bytes) is not echostr (%d bytes) byte for byte", len(answer), len(echostr)))
	}
	return nil
}

// signedQuery returns a query with signature, timestamp and nonce, and the last two by themselves.
func signedQuery(token string, at time.Time) (query, timestamp, nonce string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	nonce = strconv.FormatUint(uint64(rand.Uint32()), 10)
	signature := wechat.Signature(token, timestamp, nonce)
	return "signature=" + signature + "&timestamp=" + timestamp + "&nonce=" + nonce, timestamp, nonce
}

func (s *Sender) currentTime() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// CallbackURL returns the callback URL with a query appended to its own.
func (s *Sender) CallbackURL(query string) (*url.URL, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, Because("the gateway's URL must look like %s", "http://127.0.0.1:8000/")
	}
	u.RawQuery = strings.Trim(u.RawQuery+"&"+query, "&")
	return u, nil
}

// roundTrip makes one HTTP call. An answer that is longer than maxAnswer is cut to one byte more. The error never shows the
// query.
func (s *Sender) roundTrip(ctx context.Context, method, query string, body []byte) (status int, answer []byte, took time.Duration, err error) {
	u, err := s.CallbackURL(query)
	if err != nil {
		return 0, nil, 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, 0, fmt.Errorf("%s: bad request", u.Host)
	}
	r.Header.Set("User-Agent", "Mozilla/4.0")
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Pragma", "no-cache")
	if body != nil {
		r.Header.Set("Content-Type", "text/xml")
	}
	began := time.Now()
	resp, err := s.HTTPClient().Do(r)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		status = resp.StatusCode
		answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	}
	took = time.Since(began)
	if err != nil {
		return 0, nil, 0, withoutURL(u.Host, took, err)
	}
	return status, answer, took, nil
}

// withoutURL returns the reason why a call got no answer. The URL is not in it: it holds the signature.
func withoutURL(host string, took time.Duration, err error) error {
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err
	}
	if t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && t.Timeout() {
		return Because("%s: no answer within %.1f s: %v", host, took.Seconds(), err)
	}
	return Because("%s: no answer: %v", host, err)
}

// HTTPClient returns a copy of Client, or a new client, that follows no redirect.
func (s *Sender) HTTPClient() *http.Client {
	c := *cmp.Or(s.Client, &http.Client{
		Timeout:   Patience,
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	})
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// sealedBody returns the body of a sealed callback, in WeChat's layout.
func sealedBody(mode Mode, c Callback, sealed string) []byte {
	if mode == Compat {
		end := bytes.LastIndex(c.XML, []byte("</"))
		if end < 0 { // not XML
			end = len(c.XML)
		}
		x := &xmlWriter{b: append([]byte(nil), c.XML[:end]...)}
		x.writeText("Encrypt", sealed)
		x.writeRaw(string(c.XML[end:]))
		return x.b
	}
	x := &xmlWriter{}
	x.writeRaw("<xml>\n    ")
	x.writeText("ToUserName", c.To)
	x.writeRaw("    ")
	x.writeText("Encrypt", sealed)
	x.writeRaw("</xml>")
	return x.b
}
