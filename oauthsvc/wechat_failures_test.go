package oauthsvc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/testaddr"
	oauthv1 "wxgate/proto/oauth/v1"
)

func TestNonsense(t *testing.T) {
	t.Parallel()
	const token = `{"access_token":"a","expires_in":7200,"refresh_token":"r","openid":"o","scope":"snsapi_base"}`
	var current atomic.Pointer[http.HandlerFunc]
	f := start(t, func(w http.ResponseWriter, r *http.Request) { (*current.Load())(w, r) })
	f.server.api.Pause = never
	for name, wechat := range map[string]http.HandlerFunc{
		"empty":        says(""),
		"spaces":       says(" \n"),
		"HTML":         says("<html><body>502 Bad Gateway</body></html>"),
		"half of it":   says(token[:40]),
		"two of it":    says(token + token),
		"null":         says("null"),
		"a list":       says("[]"),
		"a string":     says(`"ok"`),
		"5 MB of JSON": says(`{"openid":"o","access_token":"` + strings.Repeat("a", 5<<20) + `","errcode":0}`),
		"HTTP 500":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, token, http.StatusInternalServerError) },
		"HTTP 502":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"HTTP 404":     http.NotFound,
		"HTTP 204":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"fewer bytes than announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, token)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"broken gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, token)
		},
	} {
		t.Run(name, func(t *testing.T) {
			current.Store(&wechat)
			f.log.Reset()
			f.keepToken(t, accountCredential{})
			for _, c := range allCalls {
				expect(t, f.do(t.Context(), c), codes.Unavailable, "UPSTREAM_UNAVAILABLE")
				if c == tokenCall { // the others need one
					f.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
				}
			}
			if lines := strings.Count(f.log.String(), `"cause":"`); lines != len(allCalls) {
				t.Errorf("%d log lines have a cause; want %d:\n%s", lines, len(allCalls), f.log)
			}
		})
	}
}

func TestMissingParts(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	for name, tt := range map[string]struct {
		of   call
		body string
	}{
		"exchange without access_token": {exchangeCall, `{"openid":"o","expires_in":7200}`},
		"exchange without openid":       {exchangeCall, `{"access_token":"a","expires_in":7200}`},
		"refresh without access_token":  {refreshCall, `{"openid":"o"}`},
		"refresh without openid":        {refreshCall, `{"access_token":"a"}`},
		"user info without openid":      {userInfoCall, `{"nickname":"n"}`},
		"check without errcode":         {checkCall, `{"errmsg":"ok"}`},
		"check with errcode null":       {checkCall, `{"errcode":null}`},
		"account token without token":   {tokenCall, `{"expires_in":7200}`},
		"ticket without ticket":         {ticketCall, `{"errcode":0,"expires_in":7200}`},
		"message without errcode":       {sendCall, `{"errmsg":"ok"}`},
		"typing without errcode":        {typingCall, `{"errmsg":"ok"}`},
		"addresses without list":        {callbackIPCall, `{"errcode":0}`},
		"quota without quota":           {quotaCall, `{"errcode":0}`},
		"quota that is a text":          {quotaCall, `{"errcode":0,"quota":""}`},
		"access_token of another kind":  {exchangeCall, `{"openid":"o","access_token":["a"]}`},
		"nothing in it":                 {exchangeCall, `{}`},
		"another server's":              {tokenCall, `{"code":0,"data":{"access_token":"a"}}`},
		"an errcode in words":           {sendCall, `{"errcode":"none","errmsg":"ok"}`},
		"an errcode that is a list":     {userInfoCall, `{"errcode":[],"openid":"o"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p.grants()
			p.says(tt.of, tt.body)
			f.keepToken(t, accountCredential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)})
			if tt.of == tokenCall {
				f.keepToken(t, accountCredential{})
			}
			_ = f.server.codes.forget(t.Context(), f.account(t), testCode)
			expect(t, f.do(t.Context(), tt.of), codes.Unknown, "UPSTREAM_ERROR")
			p.expectCalls(t, tt.of) // once: it would be the same again
		})
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var second atomic.Int32
	f := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			second.Add(1)
		}
		http.Redirect(w, r, "/elsewhere?"+r.URL.RawQuery, http.StatusFound)
	})
	expect(t, f.do(t.Context(), exchangeCall), codes.Unavailable, "UPSTREAM_UNAVAILABLE")
	if n := second.Load(); n != 0 {
		t.Errorf("the redirect was followed %d times; want none", n)
	}
	if !strings.Contains(f.log.String(), "HTTP status 302") {
		t.Errorf("the log does not say why:\n%s", f.log)
	}
}

func TestNobodyListens(t *testing.T) {
	f := startAt(t, "http://"+testaddr.Unused(t))
	for _, c := range snsCalls {
		expect(t, f.do(t.Context(), c), codes.Unavailable, "UPSTREAM_UNAVAILABLE")
	}
	if !strings.Contains(f.log.String(), "connection refused") {
		t.Errorf("the log does not say why:\n%s", f.log)
	}
}

// hangs answers when the caller has gone.
func hangs(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // before that, net/http does not see that the caller has gone
	<-r.Context().Done()
}

func TestUpstreamHangs(t *testing.T) {
	for name, wechat := range map[string]http.HandlerFunc{
		"before the header": hangs,
		"within the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"access_token":"`)
			_ = http.NewResponseController(w).Flush()
			hangs(w, r)
		},
	} {
		for _, c := range snsCalls {
			t.Run(name+strings.ReplaceAll(string(c), "/", " "), func(t *testing.T) {
				t.Parallel()
				f := start(t, wechat)
				f.server.api.Timeout = 20 * time.Millisecond
				expect(t, f.do(t.Context(), c), codes.DeadlineExceeded, "UPSTREAM_TIMEOUT")
			})
		}
		t.Run(name+", the caller's limit", func(t *testing.T) {
			t.Parallel()
			f := start(t, wechat)
			f.server.api.Timeout = time.Hour
			// Not over gRPC: there the caller's side ends at the same time, and may be first.
			for what, do := range map[string]func(context.Context) error{
				"exchange": func(ctx context.Context) error {
					_, err := f.server.ExchangeCode(ctx, &oauthv1.ExchangeCodeRequest{Code: testCode})
					return err
				},
				"check": func(ctx context.Context) error {
					_, err := f.server.CheckToken(ctx, &oauthv1.CheckTokenRequest{AccessToken: testToken, Openid: testOpenID})
					return err
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				err := do(ctx)
				cancel()
				if got := seen(t, err); got.Code != codes.DeadlineExceeded || got.Reason != "UPSTREAM_TIMEOUT" {
					t.Errorf("%s: %+v; want UPSTREAM_TIMEOUT", what, got)
				}
			}
		})
	}
	if limit := start(t, hangs).server.api.Timeout; limit != 3*time.Second {
		t.Errorf("a call may take %s; want 3s", limit)
	}
}

func TestMetrics(t *testing.T) {
	p := newPlatform()
	p.says(exchangeCall, "<html>")
	p.says(userInfoCall, refusedWith(48001))
	f := start(t, func(w http.ResponseWriter, r *http.Request) {
		if call(r.URL.Path) == checkCall {
			hangs(w, r)
			return
		}
		p.ServeHTTP(w, r)
	})
	for _, c := range snsCalls {
		if c == checkCall {
			f.server.api.Timeout = 20 * time.Millisecond
		}
		_ = f.do(t.Context(), c)
	}
	families, err := f.env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := []string{}
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			switch family.GetName() {
			case "wxgate_upstream_requests_total":
				got[strings.Join(labels, " ")] = m.GetCounter().GetValue()
			case "wxgate_upstream_seconds":
				got[fmt.Sprintf("seconds %s", strings.Join(labels, " "))] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	const maxAttempts = 3
	want := map[string]float64{
		"/sns/oauth2/access_token unavailable": maxAttempts, "/sns/oauth2/refresh_token ok": 1, "/sns/userinfo refused": 1, "/sns/auth timeout": maxAttempts,
		"seconds /sns/oauth2/access_token": maxAttempts, "seconds /sns/oauth2/refresh_token": 1, "seconds /sns/userinfo": 1, "seconds /sns/auth": maxAttempts,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestSampleErrors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]refused{
		"error.-1.json":         {codes.Unavailable, "UPSTREAM_UNAVAILABLE", map[string]string{"errcode": "-1", "rid": "6a5c0f10-1b2c3d4e-5f607182", "retry_after_ms": "1000"}},
		"error.40001.json":      {codes.Unauthenticated, "TOKEN_INVALID", map[string]string{"errcode": "40001", "rid": "6a5c0f10-1b2c3d4e-5f607182"}},
		"error.48001.json":      {codes.PermissionDenied, "NOT_AUTHORIZED", map[string]string{"errcode": "48001", "rid": "6a5c0f10-1b2c3d4e-5f607182"}},
		"sns.auth.invalid.json": {codes.InvalidArgument, "OPENID_INVALID", map[string]string{"errcode": "40003"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, says(sample(t, name)))
			if diff := cmp.Diff(want, seen(t, f.do(t.Context(), userInfoCall))); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIPNotAllowedNamesTheAddress(t *testing.T) {
	f := start(t, says(sample(t, "error.40164.json")))
	err := f.do(t.Context(), exchangeCall)
	if message := status.Convert(err).Message(); !strings.Contains(message, "203.0.113.9") {
		t.Errorf("message %q; want the address to add to the white list", message)
	}
}
