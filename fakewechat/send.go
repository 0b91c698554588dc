package fakewechat

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
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

const (
	patience  = 5 * time.Second // how long WeChat waits for an answer
	maxAnswer = 1 << 20         // how many bytes of an answer are read
)

// Sender sends callbacks to a gateway as WeChat does. It is safe for concurrent use.
type Sender struct {
	URL     string // the callback URL, as it would stand in WeChat's console; any port will do
	Account Account
	Client  *http.Client     // nil: one of its own for each call that waits 5 s. It never follows a redirect
	Now     func() time.Time // nil: time.Now

	// From, where not empty, is the user of callbacks that name none, or are no XML: these are sent as they are.
	From string

	// Platform, where not nil, learns what the users of the callbacks do, which opens its windows for customer-service
	// messages.
	Platform *Platform
	// PlatformURL, where not empty, is the address of such a Platform in another process. Whether it is there is no matter.
	PlatformURL string
}

// Result is what came back for a callback.
type Result struct {
	Status  int           // of HTTP
	Took    time.Duration // until the whole answer was read
	Body    []byte        // as received, at most 1 MiB
	XML     []byte        // the reply, opened; nil where nothing is said or nothing can be read
	Fields  []Field       // MsgType and the reply's values
	Refused []string      // why WeChat would show ServiceFailed to the user; empty: accepted

	// Hidden reports that WeChat shows the reply to nobody: it answers an event such as VIEW.
	Hidden bool
	// Warnings say what the user does not see as it is meant, though WeChat accepts it: articles that it drops, and why a
	// reply is Hidden.
	Warnings []string

	refused, warned []*reason // those of Refused and Warnings
}

// request is what an answer is judged against, and what its user did: elements of the callback.
type request struct{ to, from, msgType, event, menuItem string }

// outgoing is a callback that can be sent.
type outgoing struct {
	callback []byte // its plain XML
	request  request
	mode     Mode
	cipher   *wechat.Cipher // nil in plain mode
}

// signed is what is posted: signed, and sealed as the account's mode wants.
type signed struct {
	query string
	body  []byte
}

// Send signs a callback's plain XML, seals it as the account's mode wants, posts it once, and judges the answer.
// The error tells that there is no answer to judge: the gateway was not reached or took more than 5 s, the callback is
// no XML and From is empty, the account's key is none. Deliver sends it as often as WeChat does.
func (s *Sender) Send(ctx context.Context, callback []byte) (*Result, error) {
	o, err := s.prepare(callback)
	if err != nil {
		return nil, err
	}
	s.announce(ctx, o)
	return s.post(ctx, o, s.wrap(o, s.Account.Token, s.now()))
}

func (s *Sender) prepare(callback []byte) (*outgoing, error) {
	req, err := s.read(callback)
	if err != nil {
		return nil, err
	}
	mode, cipher, err := s.Account.cipher()
	if err != nil {
		return nil, err
	}
	return &outgoing{callback, req, mode, cipher}, nil
}

// read reads a callback. Of one that is no XML, only who it is for and From are known.
func (s *Sender) read(callback []byte) (request, error) {
	req, err := readRequest(callback)
	if s.From == "" {
		return req, err
	}
	if err != nil {
		req.to = s.Account.originalID()
	}
	req.from = cmp.Or(req.from, s.From)
	return req, nil
}

// announce tells the Platform, before the gateway hears of it, as it may answer at once.
func (s *Sender) announce(ctx context.Context, o *outgoing) {
	if s.Platform != nil {
		s.Platform.told(o.request, o.callback)
	}
	if s.PlatformURL != "" {
		s.tell(ctx, o.callback)
	}
}

func (s *Sender) wrap(o *outgoing, token string, at time.Time) signed {
	query, timestamp, nonce := sign(token, at)
	if o.request.from != "" {
		query += "&openid=" + url.QueryEscape(o.request.from)
	}
	if o.cipher == nil {
		return signed{query, o.callback}
	}
	sealed := o.cipher.Seal(o.callback)
	query += "&encrypt_type=aes&msg_signature=" + wechat.Signature(token, timestamp, nonce, sealed)
	return signed{query, envelope(o.mode, o.callback, o.request.to, sealed)}
}

// post posts once, and judges the answer.
func (s *Sender) post(ctx context.Context, o *outgoing, w signed) (*Result, error) {
	status, answer, took, err := s.do(ctx, http.MethodPost, w.query, w.body)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	j := &judge{account: &s.Account, mode: o.mode, cipher: o.cipher, request: o.request}
	if took > patience {
		j.refuse("the answer took %.1f s; WeChat hangs up after 5 s", took.Seconds())
	}
	r := &Result{Status: status, Took: took, Body: answer[:min(len(answer), maxAnswer)]}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		j.refuse("the status is %d, not 200: check the token", status)
	case status != http.StatusOK:
		j.refuse("the status is %d, not 200", status)
	case len(answer) > maxAnswer:
		j.refuse("the answer is longer than 1 MiB")
	default:
		r.XML = j.body(answer)
	}
	r.Hidden = j.hidden()
	r.Fields, r.refused, r.warned = j.fields, j.refused, j.warned
	r.Refused, r.Warnings = english(r.refused), english(r.warned)
	return r, nil
}

// toldPath is where a Platform is told of callbacks that others send.
const toldPath = "/fake/told"

// tell tells a Platform in another process of a callback.
func (s *Sender) tell(ctx context.Context, callback []byte) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(s.PlatformURL, "/")+toldPath, bytes.NewReader(callback))
	if err != nil {
		return
	}
	if resp, err := s.client().Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// serveTold takes note of a callback that a Sender in another process is about to send.
func (p *Platform) serveTold(w http.ResponseWriter, r *http.Request) {
	callback, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxBody))
	if err != nil {
		http.Error(w, "the callback cannot be read: it is broken or longer than 1 MiB", http.StatusBadRequest)
		return
	}
	req, err := readRequest(callback)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.toldElsewhere(req, callback)
	p.told(req, callback)
}

// Verify makes the GET with which WeChat's console checks a callback URL; the answer must be echostr byte for byte.
func (s *Sender) Verify(ctx context.Context) error {
	query, _, _ := sign(s.Account.Token, s.now())
	echostr := strconv.FormatInt(rand.Int64(), 10)
	status, answer, took, err := s.do(ctx, http.MethodGet, query+"&echostr="+echostr, nil)
	switch {
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case status != http.StatusOK:
		return fmt.Errorf("verify: %w", because("the status is %d, not 200: check the token", status))
	case took > patience:
		return fmt.Errorf("verify: %w", because("the answer took %.1f s; WeChat hangs up after 5 s", took.Seconds()))
	case string(answer) != echostr:
		return fmt.Errorf("verify: %w", because("the answer (%d bytes) is not echostr (%d bytes) byte for byte", len(answer), len(echostr)))
	}
	return nil
}

// sign returns the query's signature, timestamp and nonce, and the last two besides.
func sign(token string, at time.Time) (query, timestamp, nonce string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	nonce = strconv.FormatUint(uint64(rand.Uint32()), 10)
	signature := wechat.Signature(token, timestamp, nonce)
	return "signature=" + signature + "&timestamp=" + timestamp + "&nonce=" + nonce, timestamp, nonce
}

func (s *Sender) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// target returns the callback URL with a query behind its own.
func (s *Sender) target(query string) (*url.URL, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, because("the gateway's URL must look like %s", "http://127.0.0.1:8000/")
	}
	u.RawQuery = strings.Trim(u.RawQuery+"&"+query, "&")
	return u, nil
}

// do makes one HTTP call; answer has a byte more than maxAnswer where it was cut. The error never shows the query.
func (s *Sender) do(ctx context.Context, method, query string, body []byte) (status int, answer []byte, took time.Duration, err error) {
	u, err := s.target(query)
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
	resp, err := s.client().Do(r)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		status = resp.StatusCode
		answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	}
	took = time.Since(began)
	if err == nil {
		return status, answer, took, nil
	}
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err // without the URL
	}
	if t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && t.Timeout() {
		return 0, nil, 0, because("%s: no answer within %.1f s: %v", u.Host, took.Seconds(), err)
	}
	return 0, nil, 0, because("%s: no answer: %v", u.Host, err)
}

func (s *Sender) client() *http.Client {
	c := *cmp.Or(s.Client, &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	})
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// envelope returns the body of a sealed callback, in the layout of WeChat's.
func envelope(mode Mode, callback []byte, to, sealed string) []byte {
	if mode == Compat {
		end := bytes.LastIndex(callback, []byte("</"))
		if end < 0 { // no XML
			end = len(callback)
		}
		x := &xmlWriter{b: append([]byte(nil), callback[:end]...)}
		x.text("Encrypt", sealed)
		x.raw(string(callback[end:]))
		return x.b
	}
	x := &xmlWriter{}
	x.raw("<xml>\n    ")
	x.text("ToUserName", to)
	x.raw("    ")
	x.text("Encrypt", sealed)
	x.raw("</xml>")
	return x.b
}

// readRequest reads what an answer is judged against. Of two elements with one name the first counts.
func readRequest(callback []byte) (request, error) {
	elements, err := topLevel(callback)
	if err != nil {
		return request{}, err
	}
	first := map[string]string{}
	for _, e := range elements {
		if _, ok := first[e.Name]; !ok {
			first[e.Name] = strings.TrimSpace(e.Value)
		}
	}
	return request{
		to: first["ToUserName"], from: first["FromUserName"],
		msgType: first["MsgType"], event: first["Event"], menuItem: first["bizmsgmenuid"],
	}, nil
}

// topLevel reads a callback's elements and their own texts.
func topLevel(callback []byte) ([]Field, error) {
	// WeChat passes control characters on, which encoding/xml does not read.
	clean := bytes.Map(func(r rune) rune {
		if unreadable(r) {
			return ' '
		}
		return r
	}, callback)
	var x struct {
		XMLName  xml.Name
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(clean, &x); err != nil {
		return nil, fmt.Errorf("the callback is not XML: %w", err)
	}
	if !bytes.HasSuffix(bytes.TrimSpace(callback), []byte("</xml>")) {
		return nil, errors.New("the callback is not XML that ends with </xml>")
	}
	elements := make([]Field, 0, len(x.Children))
	for _, c := range x.Children {
		elements = append(elements, Field{c.XMLName.Local, c.Text})
	}
	return elements, nil
}
