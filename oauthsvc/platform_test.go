package oauthsvc

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wxgate/oauthsvc/wechatapi"
)

// call is the path of a call, as WeChat gets it.
type call string

var (
	exchangeCall   = call(wechatapi.ExchangeCode.Path)
	refreshCall    = call(wechatapi.RefreshUserToken.Path)
	userInfoCall   = call(wechatapi.GetUserInfo.Path)
	checkCall      = call(wechatapi.CheckUserToken.Path)
	tokenCall      = call(wechatapi.GetStableToken.Path)
	ticketCall     = call(wechatapi.GetTicket.Path)
	sendCall       = call(wechatapi.SendMessage.Path)
	typingCall     = call(wechatapi.SetTyping.Path)
	callbackIPCall = call(wechatapi.GetCallbackIPs.Path)
	quotaCall      = call(wechatapi.GetQuota.Path)
)

// asked is a call that WeChat got.
type asked struct {
	Call    call
	Query   url.Values
	Payload string // "" of a GET
}

// platform is a WeChat that gives each call the same answer again, or the answers of the test in turn.
type platform struct {
	mu      sync.Mutex
	answers map[call][]string
	asked   []asked
}

// newPlatform returns one that grants everything.
func newPlatform() *platform {
	return &platform{answers: map[call][]string{
		exchangeCall:   {`{"access_token":"` + testToken + `","expires_in":7200,"refresh_token":"` + testFresh + `","openid":"` + testOpenID + `","scope":"snsapi_userinfo"}`},
		refreshCall:    {`{"access_token":"refreshed","expires_in":7200,"refresh_token":"` + testFresh + `","openid":"` + testOpenID + `","scope":"snsapi_userinfo"}`},
		userInfoCall:   {`{"openid":"` + testOpenID + `","nickname":"n"}`},
		checkCall:      {ok},
		tokenCall:      {accountToken(testAccountToken)},
		ticketCall:     {`{"errcode":0,"errmsg":"ok","ticket":"` + testTicket + `","expires_in":7200}`},
		sendCall:       {ok},
		typingCall:     {ok},
		callbackIPCall: {`{"ip_list":["101.226.103.0/25","101.89.47.18"]}`},
		quotaCall:      {`{"errcode":0,"errmsg":"ok","quota":{"daily_limit":500000,"used":3,"remain":499997},"rate_limit":{"call_count":1,"refresh_second":1}}`},
	}}
}

const ok = `{"errcode":0,"errmsg":"ok"}`

// accountToken is a successful answer to tokenCall.
func accountToken(token string) string { return `{"access_token":"` + token + `","expires_in":7200}` }

// refusedWith is an answer with an errcode.
func refusedWith(errcode int) string {
	return fmt.Sprintf(`{"errcode":%d,"errmsg":"in words, rid: 6a5c0f10-1b2c3d4e-5f607182"}`, errcode)
}

// says sets the answers to a call: they are given in turn, the last one again and again.
func (p *platform) says(c call, answers ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[c] = answers
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, _ := io.ReadAll(r.Body)
	c := call(r.URL.Path)
	p.mu.Lock()
	p.asked = append(p.asked, asked{c, r.URL.Query(), string(payload)})
	answers := p.answers[c]
	if len(answers) > 1 {
		p.answers[c] = answers[1:]
	}
	p.mu.Unlock()
	if len(answers) == 0 {
		http.NotFound(w, r)
		return
	}
	says(answers[0])(w, r)
}

// got returns the requests of a call since the last time; "" means all calls.
func (p *platform) got(c call) []asked {
	p.mu.Lock()
	defer p.mu.Unlock()
	var got []asked
	for _, a := range p.asked {
		if c == "" || a.Call == c {
			got = append(got, a)
		}
	}
	p.asked = nil
	return got
}

// paths returns the calls that were made since the last time.
func (p *platform) paths() []call {
	var calls []call
	for _, a := range p.got("") {
		calls = append(calls, a.Call)
	}
	return calls
}

// expectCalls checks which calls were made since the last time.
func (p *platform) expectCalls(t *testing.T, want ...call) {
	t.Helper()
	if diff := cmp.Diff(want, p.paths(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("WeChat was asked (-want +got):\n%s", diff)
	}
}

// grants restores the answers of newPlatform, and forgets all requests.
func (p *platform) grants() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers, p.asked = newPlatform().answers, nil
}

// serve runs a service that asks this platform.
func (p *platform) serve(t *testing.T) *fixture {
	t.Helper()
	return p.serveWith(t, func(*Config) {})
}

// serveWith runs one that is configured by change.
func (p *platform) serveWith(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	api := httptest.NewServer(p)
	t.Cleanup(api.Close)
	return startWith(t, func(cfg *Config) {
		cfg.APIURL = api.URL
		change(cfg)
	})
}
