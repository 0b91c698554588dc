package fakewechat

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

type tokenAnswer struct {
	AccessToken    string `json:"access_token"`
	ExpiresIn      int    `json:"expires_in"`
	RefreshToken   string `json:"refresh_token"`
	OpenID         string `json:"openid"`
	Scope          string `json:"scope"`
	IsSnapshotUser int    `json:"is_snapshotuser,omitempty"`
	UnionID        string `json:"unionid,omitempty"`
}

type userAnswer struct {
	OpenID     string   `json:"openid"`
	Nickname   string   `json:"nickname"`
	Sex        int      `json:"sex"`
	Language   string   `json:"language"`
	City       string   `json:"city"`
	Province   string   `json:"province"`
	Country    string   `json:"country"`
	HeadImgURL string   `json:"headimgurl"`
	Privilege  []string `json:"privilege"`
	UnionID    string   `json:"unionid,omitempty"`
}

// snsHandler returns the handler of an API call of web OAuth. do runs under the store's lock; it returns the answer, or an
// errcode.
func (p *Platform) snsHandler(do func(acc *account, q url.Values, now time.Time) (answer any, errcode int)) func(r *http.Request) callResult {
	return func(r *http.Request) callResult {
		q := r.URL.Query()
		acc := p.accountOfCall(q, "")
		acc.oauth.mu.Lock()
		defer acc.oauth.mu.Unlock()
		answer, errcode := do(acc, q, p.now())
		return callResult{answer: answer, errcode: errcode, account: acc.settings.AppID}
	}
}

// missingParameter returns the errcode of the first parameter that q lacks, or 0.
func missingParameter(q url.Values, names ...string) int {
	codes := map[string]int{
		"access_token": 41001, "appid": 41002, "refresh_token": 41003, "secret": 41004, "code": 41008, "openid": 41009,
	}
	for _, name := range names {
		if q.Get(name) == "" {
			return codes[name]
		}
	}
	return 0
}

// exchangeCode is /sns/oauth2/access_token.
func (acc *account) exchangeCode(q url.Values, now time.Time) (any, int) {
	if errcode := missingParameter(q, "appid", "secret", "code"); errcode != 0 {
		return nil, errcode
	}
	c := acc.oauth.codes.get(q.Get("code"))
	switch {
	case q.Get("grant_type") != "authorization_code":
		return nil, 40002
	case q.Get("appid") != acc.settings.AppID:
		return nil, 40013
	case q.Get("secret") != acc.settings.AppSecret:
		return nil, 40125
	case c == nil:
		return nil, 40029
	case c.used:
		return nil, 40163
	case now.Sub(c.minted) >= codeLife:
		return nil, 42003
	}
	c.used = true
	g := acc.oauth.grantFor(c, now)
	a := g.newTokenAnswer(now)
	a.Scope, a.UnionID = g.scope, g.unionid
	if g.snapshot {
		a.IsSnapshotUser = 1
	}
	return a, 0
}

// refreshToken is /sns/oauth2/refresh_token.
func (acc *account) refreshToken(q url.Values, now time.Time) (any, int) {
	if errcode := missingParameter(q, "appid", "refresh_token"); errcode != 0 {
		return nil, errcode
	}
	g := acc.oauth.refresh.get(q.Get("refresh_token"))
	switch {
	case q.Get("grant_type") != "refresh_token":
		return nil, 40002
	case q.Get("appid") != acc.settings.AppID:
		return nil, 40013
	case g == nil:
		return nil, 40030
	case now.Sub(g.issued) >= refreshLife:
		return nil, 42002
	}
	acc.oauth.renewAccess(g, now)
	return g.newTokenAnswer(now), 0
}

// userInfo is /sns/userinfo.
func (acc *account) userInfo(q url.Values, now time.Time) (any, int) {
	g, errcode := acc.grantOf(q, now)
	switch {
	case errcode != 0:
		return nil, errcode
	case g.scope == scopeBase || g.snapshot:
		return nil, 48001
	}
	lang := q.Get("lang")
	if !slices.Contains([]string{"zh_CN", "zh_TW", "en"}, lang) {
		lang = "zh_CN"
	}
	return userAnswer{
		OpenID:     g.openid,
		Nickname:   acc.platform.chat.nicknameOf(chatUserKey{acc.settings.AppID, g.openid}),
		Language:   lang,
		HeadImgURL: "https://thirdwx.qlogo.cn/mmopen/vi_32/fake/132",
		Privilege:  []string{}, // not null
		UnionID:    g.unionid,
	}, 0
}

// checkToken is /sns/auth.
func (acc *account) checkToken(q url.Values, now time.Time) (any, int) {
	if _, errcode := acc.grantOf(q, now); errcode != 0 {
		return nil, errcode
	}
	return errorAnswer{0, "ok"}, 0
}

// grantOf returns the grant of the query's access_token and openid, or an errcode.
func (acc *account) grantOf(q url.Values, now time.Time) (*userGrant, int) {
	if errcode := missingParameter(q, "access_token", "openid"); errcode != 0 {
		return nil, errcode
	}
	t := acc.oauth.access.get(q.Get("access_token"))
	switch {
	case t == nil:
		return nil, 40001
	case !now.Before(t.expires):
		return nil, 42001
	case q.Get("openid") != t.grant.openid:
		return nil, 40003
	}
	return t.grant, 0
}

// newTokenAnswer returns the answer of a refresh.
func (g *userGrant) newTokenAnswer(now time.Time) tokenAnswer {
	scope := g.scope
	if scope == scopeUserInfo {
		scope = "snsapi_base,snsapi_userinfo," // as WeChat does, with the last comma
	}
	return tokenAnswer{
		AccessToken:  g.access.value,
		ExpiresIn:    int(g.access.expires.Sub(now) / time.Second),
		RefreshToken: g.refreshToken,
		OpenID:       g.openid,
		Scope:        scope,
	}
}
