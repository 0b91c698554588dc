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
	maxUsers = 10_000 // known at a time; whoever came first is forgotten first
	maxSent  = 1000   // customer-service messages, of all users
)

// apiStore is what the account's API calls know. All of it is guarded by mu.
type apiStore struct {
	mu sync.Mutex
	apiState
}

// apiState is what is forgotten on Reset.
type apiState struct {
	tokens        capped[*credential] // access_tokens, by value
	stable, plain *credential         // the latest of each family
	ticket        *credential         // of the JS-SDK
	forced        forced
	refuseIP      bool

	quota quota
	users capped[*user]
	sent  []CustomMessage // oldest first
}

func newAPIStore() *apiStore { return &apiStore{apiState: newAPIState(map[string]int{})} }

func newAPIState(daily map[string]int) apiState {
	s := apiState{
		tokens: newCapped[*credential](maxKept),
		users:  newCapped[*user](maxUsers),
		quota:  quota{daily: daily, used: map[string]int{}},
	}
	s.users.put(sender.User, &user{})
	return s
}

// accountCall is an API call of a service that has the AppSecret.
type accountCall struct {
	path, method string
	open         bool // makes the access_token, so needs none
	daily        int  // how often a day; more is 45009
	do           func(o *official, c *apiCall) result
}

// apiCall is one call, let in and counted. Whoever works on it holds the store's lock.
type apiCall struct {
	query url.Values
	raw   []byte
	body  object // of a POST
	now   time.Time
	r     *http.Request
}

// object is a JSON object. Its names count in their case.
type object map[string]json.RawMessage

const (
	maxBody    = 16 << 10 // bytes of a call's body
	usualDaily = 500_000
)

// accountCalls follow the platform's pages "稳定版接口调用凭据", "发送客服消息", "客服输入状态", "查询API调用额度" and
// their neighbours. Where they name no daily limit it is usualDaily.
func accountCalls() []accountCall {
	const get, post = http.MethodGet, http.MethodPost
	return []accountCall{
		{"/cgi-bin/stable_token", post, true, usualDaily, (*official).stableToken},
		{"/cgi-bin/token", get, true, 2000, (*official).plainToken},
		{"/cgi-bin/ticket/getticket", get, false, usualDaily, (*official).jsapiTicket},
		{"/cgi-bin/message/custom/send", post, false, usualDaily, (*official).customSend},
		{"/cgi-bin/message/custom/typing", post, false, usualDaily, (*official).customTyping},
		{"/cgi-bin/getcallbackip", get, false, usualDaily, ipList("127.0.0.1", "::1", "203.0.113.10", "198.51.100.0/25")},
		{"/cgi-bin/get_api_domain_ip", get, false, usualDaily, ipList("203.0.113.20", "203.0.113.21")},
		{"/cgi-bin/openapi/quota/get", post, false, usualDaily, (*official).quotaGet},
		{"/cgi-bin/clear_quota", post, false, usualDaily, (*official).clearQuota},
	}
}

// api returns a call of an account's API.
func (p *Platform) api(call accountCall) func(r *http.Request) result {
	return func(r *http.Request) result {
		c := &apiCall{query: r.URL.Query(), r: r}
		c.raw, _ = io.ReadAll(io.LimitReader(r.Body, maxBody+1)) // a broken body is broken JSON
		o := p.called(c.query, appIDIn(c.raw))
		res := o.admit(call, c)
		res.account = o.account.AppID
		return res
	}
}

// admit checks a call before it is done: the access_token, the day's quota, that a POST's body is a JSON object.
func (o *official) admit(call accountCall, c *apiCall) result {
	s := o.api
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = o.platform.now()
	if !call.open {
		if errcode := s.checkToken(c.query.Get("access_token"), c.now); errcode != 0 {
			return refused(errcode)
		}
	}
	if !s.count(call.path, c.now) {
		return refused(45009)
	}
	if call.method == http.MethodPost {
		if errcode := c.parse(); errcode != 0 {
			return refused(errcode)
		}
	}
	res := call.do(o, c)
	c.body.read("touser", &res.user)
	return res
}

// appIDIn returns the appid in a call's body, "" where there is none.
func appIDIn(raw []byte) (appID string) {
	var body object
	if json.Unmarshal(raw, &body) == nil {
		body.read("appid", &appID)
	}
	return appID
}

// parse reads the body, strictly.
func (c *apiCall) parse() (errcode int) {
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

// read puts the value of that name to where to points, which stays where there is none. It is false for another type.
func (o object) read(name string, to any) bool {
	raw, found := o[name]
	return !found || json.Unmarshal(raw, to) == nil
}

// escaped tells whether JSON text holds a \u escape. (\\u is a backslash and a letter.)
func escaped(raw []byte) bool {
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

func ipList(ips ...string) func(*official, *apiCall) result {
	return func(*official, *apiCall) result {
		return result{answer: struct {
			IPs []string `json:"ip_list"`
		}{ips}}
	}
}
