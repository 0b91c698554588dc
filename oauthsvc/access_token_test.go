package oauthsvc

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	oauthv1 "wxgate/proto/oauth/v1"
)

// tokenAsked is how WeChat is asked for the account's token.
func tokenAsked(force bool) asked {
	return asked{tokenCall, url.Values{}, fmt.Sprintf(`{"appid":%q,"force_refresh":%t,"grant_type":"client_credential","secret":%q}`+"\n", testAppID, force, testSecret)}
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	ask := func(refused, want string) *oauthv1.GetAccessTokenResponse {
		t.Helper()
		got, err := f.GetAccessToken(t.Context(), &oauthv1.GetAccessTokenRequest{Refused: refused})
		if err != nil || got.GetAccessToken() != want {
			t.Errorf("refused %q: %q, %v; want %q", refused, got.GetAccessToken(), err, want)
		}
		return got
	}
	before := time.Now()
	expires := ask("", testAccountToken).GetExpireTime().AsTime()
	if first, last := before.Add(2*time.Hour), time.Now().Add(2*time.Hour); expires.Before(first) || expires.After(last) {
		t.Errorf("expires %s; want between %s and %s", expires, first, last)
	}
	if diff := cmp.Diff([]asked{tokenAsked(false)}, p.got("")); diff != "" {
		t.Errorf("WeChat was asked (-want +got):\n%s", diff)
	}
	ask("", testAccountToken)
	ask("another, of long ago", testAccountToken)
	p.expectCalls(t)

	p.says(tokenCall, accountToken("next"))
	f.keepToken(t, accountCredential{Value: "old", Expires: time.Now().Add(renewEarly + time.Minute)})
	ask("", "old")
	p.expectCalls(t)
	f.keepToken(t, accountCredential{Value: "old", Expires: time.Now().Add(renewEarly - time.Second)})
	ask("", "next")
	p.expectCalls(t, tokenCall)
}

func TestColdCallersOneToken(t *testing.T) {
	p := newPlatform()
	f := p.serve(t)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			if err := f.do(t.Context(), accountCalls[i%len(accountCalls)]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	made := p.paths()
	for _, c := range []call{tokenCall, ticketCall} {
		if n := len(slices.DeleteFunc(slices.Clone(made), func(other call) bool { return other != c })); n != 1 {
			t.Errorf("%s was asked for %d times; want once", c, n)
		}
	}
}

// TestRefusedToken: which refusals renew the account's token, and how.
func TestRefusedToken(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	for name, tt := range map[string]struct {
		send   []string // answers
		tokens []string // answers
		tried  string   // answer to a call that tries the token that WeChat goes on giving
		want   string   // reason
		calls  []call
		force  []bool // of the calls for a token
	}{
		"40001":                      {[]string{refusedWith(40001), ok}, []string{accountToken("kept"), accountToken("forced")}, refusedWith(40001), "", []call{sendCall, tokenCall, callbackIPCall, tokenCall, sendCall}, []bool{false, true}},
		"40014":                      {[]string{refusedWith(40014), ok}, []string{accountToken("kept"), accountToken("forced")}, refusedWith(40001), "", []call{sendCall, tokenCall, callbackIPCall, tokenCall, sendCall}, []bool{false, true}},
		"42001":                      {[]string{refusedWith(42001), ok}, []string{accountToken("kept"), accountToken("forced")}, refusedWith(40001), "", []call{sendCall, tokenCall, callbackIPCall, tokenCall, sendCall}, []bool{false, true}},
		"replaced already":           {[]string{refusedWith(40001), ok}, []string{accountToken("next")}, "", "", []call{sendCall, tokenCall, sendCall}, []bool{false}},
		"again and again":            {[]string{refusedWith(40001)}, []string{accountToken("kept"), accountToken("forced")}, refusedWith(42001), "TOKEN_INVALID", []call{sendCall, tokenCall, callbackIPCall, tokenCall, sendCall}, []bool{false, true}},
		"wrong secret":               {[]string{refusedWith(40001)}, []string{refusedWith(40125)}, "", "CREDENTIALS_INVALID", []call{sendCall, tokenCall}, []bool{false}},
		"48001":                      {[]string{refusedWith(48001)}, nil, "", "NOT_AUTHORIZED", []call{sendCall}, nil},
		"40164":                      {[]string{refusedWith(40164)}, nil, "", "IP_NOT_ALLOWED", []call{sendCall}, nil},
		"45015":                      {[]string{refusedWith(45015)}, nil, "", "WINDOW_CLOSED", []call{sendCall}, nil},
		"WeChat takes it after all":  {[]string{refusedWith(40001), ok}, []string{accountToken("kept")}, `{"ip_list":[]}`, "", []call{sendCall, tokenCall, callbackIPCall, sendCall}, []bool{false}},
		"refused, but not the token": {[]string{refusedWith(40001), ok}, []string{accountToken("kept")}, refusedWith(45009), "", []call{sendCall, tokenCall, callbackIPCall, sendCall}, []bool{false}},
		"whether is not known":       {[]string{refusedWith(40001), ok}, []string{accountToken("kept")}, "<html>", "UPSTREAM_UNAVAILABLE", []call{sendCall, tokenCall, callbackIPCall}, []bool{false}},
		"the force is not possible":  {[]string{refusedWith(40001)}, []string{accountToken("kept"), refusedWith(45009)}, refusedWith(40014), "QUOTA_EXHAUSTED", []call{sendCall, tokenCall, callbackIPCall, tokenCall}, []bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			p.grants()
			p.says(sendCall, tt.send...)
			p.says(tokenCall, tt.tokens...)
			p.says(callbackIPCall, tt.tried)
			f.keepToken(t, accountCredential{Value: "kept", Expires: time.Now().Add(time.Hour)})
			f.keepForced(t)
			if got := seen(t, f.do(t.Context(), sendCall)); got.Reason != tt.want {
				t.Errorf("got %+v; want %q", got, tt.want)
			}
			var calls []call
			var force []bool
			for _, a := range p.got("") {
				calls = append(calls, a.Call)
				if a.Call == tokenCall {
					force = append(force, strings.Contains(a.Payload, `"force_refresh":true`))
				}
			}
			if diff := cmp.Diff(tt.calls, calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.force, force); diff != "" {
				t.Errorf("force_refresh (-want +got):\n%s", diff)
			}
		})
	}
}

// keepForced lets the account's token have been replaced by force at some times.
func (f *fixture) keepForced(t *testing.T, times ...time.Time) {
	t.Helper()
	if err := f.server.forced.put(t.Context(), f.account(t), "forced", times); err != nil {
		t.Fatal(err)
	}
}

// asCaller returns an error of the service's insides as a caller gets it.
func asCaller(t *testing.T, err error) error {
	if err == nil {
		return nil
	}
	return failureOf(t.Context(), err).RPCError()
}

func TestForceLimits(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	f := p.serve(t)
	forced := func(n int, newest time.Duration) []time.Time {
		var list []time.Time
		for i := range n {
			list = append(list, time.Now().Add(-newest-time.Duration(n-1-i)*time.Minute))
		}
		return list
	}
	for name, tt := range map[string]struct {
		forced []time.Time
		ours   bool // WeChat refused the token to this service, not to a caller
		want   bool // it is forced
	}{
		"never":                     {nil, false, true},
		"a moment ago":              {forced(1, forcedApart/2), false, false},
		"a while ago":               {forced(1, 2*forcedApart), false, true},
		"14 times today":            {forced(14, time.Hour), false, true},
		"15 times today":            {forced(15, time.Hour), false, false},
		"15 times today, ours":      {forced(15, time.Hour), true, true},
		"19 times today, ours":      {forced(19, time.Hour), true, true},
		"20 times today, ours":      {forced(20, time.Hour), true, false},
		"20 times, but not today":   {forced(20, 25*time.Hour), false, true},
		"the first of 20 yesterday": {append([]time.Time{time.Now().Add(-25 * time.Hour)}, forced(19, time.Hour)...), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p.grants()
			p.says(tokenCall, accountToken("kept"), accountToken("forced"))
			p.says(callbackIPCall, refusedWith(40001))
			f.keepToken(t, accountCredential{Value: "kept", Expires: time.Now().Add(time.Hour)})
			f.keepForced(t, tt.forced...)
			ask := func(refused string) (string, error) {
				if tt.ours {
					c, err := f.server.accessToken(t.Context(), f.account(t), refused, forcedPerDay)
					return c.Value, asCaller(t, err)
				}
				got, err := f.GetAccessToken(t.Context(), &oauthv1.GetAccessTokenRequest{Refused: refused})
				return got.GetAccessToken(), err
			}
			got, err := ask("kept")
			if !tt.want {
				expect(t, err, codes.Unavailable, "TOKEN_INVALID")
				p.expectCalls(t, tokenCall, callbackIPCall)
				return
			}
			if err != nil || got != "forced" {
				t.Errorf("%q, %v; want the forced one", got, err)
			}
			p.expectCalls(t, tokenCall, callbackIPCall, tokenCall)
			// This one counts too.
			p.says(tokenCall, accountToken("forced"))
			_, err = ask("forced")
			expect(t, err, codes.Unavailable, "TOKEN_INVALID")
			p.expectCalls(t, tokenCall, callbackIPCall)
		})
	}
	if forcedPerDay != 20 || forcedApart != 30*time.Second {
		t.Errorf("forced %d times a day, %s apart; want 20, 30s", forcedPerDay, forcedApart)
	}
}

func TestTokenCallExplains(t *testing.T) {
	p := newPlatform()
	p.says(tokenCall, sample(t, "error.40164.json"))
	f := p.serve(t)
	for _, c := range append([]call{tokenCall}, accountCalls...) {
		err := f.do(t.Context(), c)
		expect(t, err, codes.FailedPrecondition, "IP_NOT_ALLOWED")
		if message := status.Convert(err).Message(); !strings.Contains(message, "203.0.113.9") {
			t.Errorf("%s: %q; want the address to add to the white list", c, message)
		}
		p.expectCalls(t, tokenCall)
	}
}

func TestSignJsapi(t *testing.T) {
	// internal/wechat/testdata/vectors.json, jssdk-official.
	if got := jsapiSignature("sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg", "Wm3WZYTPz0wzccnW",
		1414587457, "http://mp.weixin.qq.com?params=value"); got != "0f9de62fce790f9a083d5c99e95740ceb90c27ed" {
		t.Errorf("signature %s", got)
	}
	p := newPlatform()
	f := p.serve(t)
	const page = "https://wx.example.com/%E9%A1%B5?a=1&b=2"
	nonces := map[string]bool{}
	for range 3 {
		before := time.Now().Unix()
		got, err := f.SignJsapi(t.Context(), &oauthv1.SignJsapiRequest{Url: page + "#top"})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetAppId() != testAppID || got.GetTimestamp() < before || got.GetTimestamp() > time.Now().Unix() || len(got.GetNonceStr()) < 16 {
			t.Errorf("got %v", got)
		}
		nonces[got.GetNonceStr()] = true
		if want := jsapiSignature(testTicket, got.GetNonceStr(), got.GetTimestamp(), page); got.GetSignature() != want {
			t.Errorf("signature %s; want %s", got.GetSignature(), want)
		}
	}
	if len(nonces) != 3 {
		t.Errorf("nonces %v; want another each time", nonces)
	}
	want := []asked{tokenAsked(false), {ticketCall, url.Values{"access_token": {testAccountToken}, "type": {"jsapi"}}, ""}}
	if diff := cmp.Diff(want, p.got("")); diff != "" {
		t.Errorf("WeChat was asked (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "/page", "wx.example.com", "javascript:alert(1)", "https://u@wx.example.com/", "https:///x", "#https://a.cn"} {
		_, err := f.SignJsapi(t.Context(), &oauthv1.SignJsapiRequest{Url: bad})
		expect(t, err, codes.InvalidArgument, "INVALID_REQUEST")
		expectField(t, err, "url")
	}
}

// TestFindingsShortLife: a token that ends soon, or of which that is not known, is not asked for again at once.
func TestFindingsShortLife(t *testing.T) {
	t.Parallel()
	for _, expires := range []string{`,"expires_in":300`, `,"expires_in":0`, `,"expires_in":-5`, `,"expires_in":"soon"`, ""} {
		t.Run(expires, func(t *testing.T) {
			p := newPlatform()
			p.says(tokenCall, `{"access_token":"short"`+expires+`}`)
			p.says(ticketCall, `{"errcode":0,"ticket":"short"`+expires+`}`)
			f := p.serve(t)
			for range 3 {
				for _, c := range []call{tokenCall, ticketCall} {
					if err := f.do(t.Context(), c); err != nil {
						t.Fatal(err)
					}
				}
			}
			p.expectCalls(t, tokenCall, ticketCall)
		})
	}
	if old := (accountCredential{Value: "a", Expires: time.Now().Add(time.Minute), Made: time.Now().Add(-trustFor)}); old.isFresh() {
		t.Error("one of half a minute ago is taken for fresh")
	}
}

// TestFindingsForcedRefreshCounts: a replacement by force counts although its answer was lost, and is not made again; and a
// caller who calls a good token refused causes none.
func TestFindingsForcedRefreshCounts(t *testing.T) {
	p := newPlatform()
	p.says(tokenCall, accountToken("kept"), "<html>", accountToken("kept"))
	p.says(callbackIPCall, refusedWith(40001))
	f := p.serve(t)
	f.keepToken(t, accountCredential{Value: "kept", Expires: time.Now().Add(time.Hour)})
	ask := func() error {
		_, err := f.GetAccessToken(t.Context(), &oauthv1.GetAccessTokenRequest{Refused: "kept"})
		return err
	}
	expect(t, ask(), codes.Unavailable, "UPSTREAM_UNAVAILABLE")
	p.expectCalls(t, tokenCall, callbackIPCall, tokenCall)
	for range 3 {
		expect(t, ask(), codes.Unavailable, "TOKEN_INVALID")
	}
	p.got("")
	p.says(callbackIPCall, `{"ip_list":[]}`)
	f.keepForced(t)
	for range 30 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range p.got(tokenCall) {
		if strings.Contains(a.Payload, `"force_refresh":true`) {
			t.Fatal("a good token was replaced by force")
		}
	}
}
