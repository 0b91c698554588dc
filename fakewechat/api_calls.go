package fakewechat

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"wxgate/fakewechat/sender"
)

const (
	maxUsers = 10_000 // known at a time; the oldest is forgotten first
	maxSent  = 1000   // customer-service messages, of all users
)

// apiStore holds the state of an account's API. All of it is guarded by mu.
type apiStore struct {
	mu sync.Mutex
	apiState
}

// apiState is the part of the state that Reset clears.
type apiState struct {
	tokens        boundedMap[*apiCredential] // access_tokens, by value
	stable, plain *apiCredential             // the latest of each family
	ticket        *apiCredential             // of the JS-SDK
	forced        forcedRefreshes
	refuseIP      bool

	quota callQuota
	users boundedMap[*accountUser]
	sent  []CustomMessage // oldest first
}

func newAPIStore() *apiStore { return &apiStore{apiState: newAPIState(map[string]int{})} }

func newAPIState(daily map[string]int) apiState {
	s := apiState{
		tokens: newBoundedMap[*apiCredential](maxKept),
		users:  newBoundedMap[*accountUser](maxUsers),
		quota:  callQuota{daily: daily, used: map[string]int{}},
	}
	s.users.put(sender.User, &accountUser{})
	return s
}

// accountCall is an API call of a service that has the AppSecret.
type accountCall struct {
	path, method string
	open         bool // makes the access_token, and so needs none
	daily        int  // calls per day; more are answered 45009
	do           func(acc *account, c *apiCall) callResult
}

// apiCall is one call that was let in and counted. Its handler holds the store's lock.
type apiCall struct {
	query url.Values
	raw   []byte
	body  jsonObject // of a POST
	now   time.Time
	r     *http.Request
}

// jsonObject is a JSON object. Its keys are case-sensitive.
type jsonObject map[string]json.RawMessage

const (
	maxBody    = 16 << 10 // bytes of a call's body
	usualDaily = 500_000
)

// accountCalls follow the platform's pages "稳定版接口调用凭据", "发送客服消息", "客服输入状态", "查询API调用额度" and their neighbours. usualDaily
// stands for a daily limit that the pages do not name.
func accountCalls() []accountCall {
	const get, post = http.MethodGet, http.MethodPost
	return []accountCall{
		{"/cgi-bin/stable_token", post, true, usualDaily, (*account).stableToken},
		{"/cgi-bin/token", get, true, 2000, (*account).plainToken},
		{"/cgi-bin/ticket/getticket", get, false, usualDaily, (*account).jsapiTicket},
		{"/cgi-bin/message/custom/send", post, false, usualDaily, (*account).customSend},
		{"/cgi-bin/message/custom/typing", post, false, usualDaily, (*account).customTyping},
		{"/cgi-bin/getcallbackip", get, false, usualDaily, ipList("127.0.0.1", "::1", "203.0.113.10", "198.51.100.0/25")},
		{"/cgi-bin/get_api_domain_ip", get, false, usualDaily, ipList("203.0.113.20", "203.0.113.21")},
		{"/cgi-bin/openapi/quota/get", post, false, usualDaily, (*account).quotaGet},
		{"/cgi-bin/clear_quota", post, false, usualDaily, (*account).clearQuota},
	}
}

// apiHandler returns the handler of a call of an account's API.
func (p *Platform) apiHandler(call accountCall) func(r *http.Request) callResult {
	return func(r *http.Request) callResult {
		c := &apiCall{query: r.URL.Query(), r: r}
		c.raw, _ = io.ReadAll(io.LimitReader(r.Body, maxBody+1)) // a broken body is broken JSON
		acc := p.accountOfCall(c.query, appIDIn(c.raw))
		res := acc.admitCall(call, c)
		res.account = acc.settings.AppID
		return res
	}
}

// admitCall checks the access_token, the daily quota, and that the body of a POST is a JSON object. Then it makes the call.
func (acc *account) admitCall(call accountCall, c *apiCall) callResult {
	s := acc.api
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = acc.platform.now()
	if !call.open {
		if errcode := s.checkToken(c.query.Get("access_token"), c.now); errcode != 0 {
			return refusedResult(errcode)
		}
	}
	if !s.useQuota(call.path, c.now) {
		return refusedResult(45009)
	}
	if call.method == http.MethodPost {
		if errcode := c.parseBody(); errcode != 0 {
			return refusedResult(errcode)
		}
	}
	res := call.do(acc, c)
	c.body.readValue("touser", &res.user)
	return res
}

// appIDIn returns the appid in a call's body, or "".
func appIDIn(raw []byte) (appID string) {
	var body jsonObject
	if json.Unmarshal(raw, &body) == nil {
		body.readValue("appid", &appID)
	}
	return appID
}

// parseBody reads the body, strictly.
func (c *apiCall) parseBody() (errcode int) {
	switch {
	case len(c.raw) == 0:
		return 44002
	case len(c.raw) > maxBody:
		return 45002
	case !utf8.Valid(c.raw), json.Unmarshal(c.raw, &c.body) != nil, c.body == nil:
		return 47001
	}
	return 0
}

// readValue stores the value of a name in the variable that to points to. A missing value leaves the variable as it is. It
// returns false if the value has another type.
func (o jsonObject) readValue(name string, to any) bool {
	raw, found := o[name]
	return !found || json.Unmarshal(raw, to) == nil
}

// hasEscapes reports whether JSON text contains a \u escape. (\\u is a backslash and a letter.)
func hasEscapes(raw []byte) bool {
	for rest := string(raw); ; {
		i := strings.IndexByte(rest, '\\')
		if i < 0 || i+1 == len(rest) {
			return false
		}
		if rest[i+1] == 'u' {
			return true
		}
		rest = rest[i+2:]
	}
}

func ipList(ips ...string) func(*account, *apiCall) callResult {
	return func(*account, *apiCall) callResult {
		return callResult{answer: struct {
			IPs []string `json:"ip_list"`
		}{ips}}
	}
}
