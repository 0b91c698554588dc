package oauthsvc

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestRetries: which failures of which calls are tried again, and how patiently.
func TestRetries(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	const html = "<html>"
	busy, often := refusedWith(-1), refusedWith(45011)
	soon := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}
	for name, tt := range map[string]struct {
		of      call
		answers []string // "good" is a good one
		want    string   // reason
		waits   []time.Duration
	}{
		"busy, then well":                {checkCall, []string{busy, "good"}, "", soon[:1]},
		"nonsense, then well":            {checkCall, []string{html, "good"}, "", soon[:1]},
		"busy twice, then well":          {userInfoCall, []string{busy, busy, "good"}, "", soon},
		"busy for ever":                  {refreshCall, []string{busy}, "UPSTREAM_UNAVAILABLE", soon},
		"too often":                      {checkCall, []string{often, "good"}, "RATE_LIMITED", nil},
		"code: too often":                {exchangeCall, []string{often, "good"}, "RATE_LIMITED", nil},
		"message: too often":             {sendCall, []string{often, "good"}, "RATE_LIMITED", nil},
		"code: busy, then well":          {exchangeCall, []string{busy, "good"}, "", []time.Duration{0}},
		"code: nonsense, then well":      {exchangeCall, []string{html, "good"}, "", []time.Duration{0}},
		"code: busy, but it was spent":   {exchangeCall, []string{busy, refusedWith(40163)}, "CODE_USED", []time.Duration{0}},
		"account token: busy, then well": {tokenCall, []string{busy, "good"}, "", soon[:1]},
		"message: busy":                  {sendCall, []string{busy, "good"}, "UPSTREAM_UNAVAILABLE", nil},
		"message: it may have been sent": {sendCall, []string{html, "good"}, "UPSTREAM_UNAVAILABLE", nil},
		"typing: nonsense, then well":    {typingCall, []string{html, "good"}, "", soon[:1]},
		"day's calls used up":            {checkCall, []string{refusedWith(45009)}, "QUOTA_EXHAUSTED", nil},
		"code invalid":                   {exchangeCall, []string{refusedWith(40029)}, "CODE_INVALID", nil},
		"code used":                      {exchangeCall, []string{refusedWith(40163)}, "CODE_USED", nil},
		"wrong secret":                   {exchangeCall, []string{refusedWith(40125)}, "CREDENTIALS_INVALID", nil},
		"token of the caller expired":    {userInfoCall, []string{refusedWith(42001)}, "TOKEN_EXPIRED", nil},
		"scope too small":                {userInfoCall, []string{refusedWith(48001)}, "NOT_AUTHORIZED", nil},
		"address not allowed":            {tokenCall, []string{refusedWith(40164)}, "IP_NOT_ALLOWED", nil},
		"window closed":                  {sendCall, []string{refusedWith(45015)}, "WINDOW_CLOSED", nil},
		"unknown":                        {checkCall, []string{refusedWith(12345)}, "UPSTREAM_ERROR", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p.grants()
			f.waits = nil
			if tt.of == tokenCall {
				f.keepToken(t, accountCredential{})
			} else {
				f.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
			}
			for i, answer := range tt.answers {
				if answer == "good" {
					tt.answers[i] = p.answers[tt.of][0]
				}
			}
			p.says(tt.of, tt.answers...)
			var err error
			if tt.of == exchangeCall { // each with a code of its own: outcomes are kept
				_, err = f.exchange(t.Context(), "", name, "")
			} else {
				err = f.do(t.Context(), tt.of)
			}
			if got := seen(t, err); got.Reason != tt.want {
				t.Errorf("got %+v; want %q", got, tt.want)
			}
			if n := len(p.got(tt.of)); n != 1+len(tt.waits) {
				t.Errorf("asked %d times; want %d", n, 1+len(tt.waits))
			}
			// A wait is between half of the time given and all of it.
			if !slices.EqualFunc(f.waits, tt.waits, func(got, want time.Duration) bool { return got <= want && got >= want/2 }) {
				t.Errorf("waited %v; want at most %v, and at least half of it", f.waits, tt.waits)
			}
		})
	}
}

// TestUnsentMessage: a message that certainly did not reach WeChat is sent again.
func TestUnsentMessage(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	transport := f.server.api.HTTP.Transport.(*http.Transport)
	f.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
	dials := 0
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 1 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: io.ErrClosedPipe}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	if err := f.do(t.Context(), sendCall); err != nil {
		t.Error(err)
	}
	p.expectCalls(t, sendCall)
}
