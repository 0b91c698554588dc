package fakewechat

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"wxgate/internal/wechat"
)

// Line is a Sender for many callbacks: what they have in common is made once. It is safe for concurrent use.
type Line struct {
	sender Sender
	target *url.URL
	mode   Mode
	cipher *wechat.Cipher // nil in plain mode
	client *http.Client
}

// Line returns a Line with the Sender's settings of now; an error where the URL, the account's mode or its key is none.
func (s *Sender) Line() (*Line, error) {
	mode, cipher, err := s.Account.cipher()
	if err != nil {
		return nil, err
	}
	target, err := s.target()
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	return &Line{sender: *s, target: target, mode: mode, cipher: cipher, client: s.client()}, nil
}

// Send does what Sender.Send does.
func (l *Line) Send(ctx context.Context, callback []byte) (*Result, error) {
	req, err := readRequest(callback)
	if err != nil {
		return nil, err
	}
	s := &l.sender
	query, timestamp, nonce := s.sign()
	if req.from != "" {
		query += "&openid=" + url.QueryEscape(req.from)
	}
	body := callback
	if l.cipher != nil {
		sealed := l.cipher.Seal(callback)
		query += "&encrypt_type=aes&msg_signature=" + wechat.Signature(s.Account.Token, timestamp, nonce, sealed)
		body = envelope(l.mode, callback, req.to, sealed)
	}
	if s.Platform != nil {
		s.Platform.told(req, callback) // before the gateway hears of it, as it may answer at once
	}
	if s.PlatformURL != "" {
		s.tell(ctx, callback)
	}
	status, answer, took, err := call(ctx, l.client, *l.target, http.MethodPost, query, body)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	j := &judge{account: &s.Account, mode: l.mode, cipher: l.cipher, request: req}
	if took > patience {
		j.refuse("the answer took %.1f s; WeChat hangs up after 5 s", took.Seconds())
	}
	r := &Result{Status: status, Took: took, Body: answer[:min(len(answer), maxAnswer)]}
	switch {
	case status != http.StatusOK:
		j.refuse("the status is %d, not 200", status)
	case len(answer) > maxAnswer:
		j.refuse("the answer is longer than 1 MiB")
	default:
		r.XML = j.body(answer)
	}
	r.Fields, r.Refused = j.fields, j.refused
	return r, nil
}

// Mode returns how callbacks are encrypted, never the empty Mode.
func (l *Line) Mode() Mode { return l.mode }
