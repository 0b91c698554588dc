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

// sns makes an API call of web OAuth. The call has the store's lock; it returns its answer, or an errcode.
func (p *Platform) sns(do func(o *official, q url.Values, now time.Time) (answer any, errcode int)) func(r *http.Request) result {
	return func(r *http.Request) result {
		q := r.URL.Query()
		o := p.called(q, "")
		o.oauth.mu.Lock()
		defer o.oauth.mu.Unlock()
		answer, errcode := do(o, q, p.now())
		return result{answer: answer, errcode: errcode, account: o.account.AppID}
	}
}

// missing returns the errcode of the first parameter that q lacks, 0 for none.
func missing(q url.Values, names ...string) int {
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

// exchange is /sns/oauth2/access_token.
func (o *official) exchange(q url.Values, now time.Time) (any, int) {
	if errcode := missing(q, "appid", "secret", "code"); errcode != 0 {
		return nil, errcode
	}
	c := o.oauth.codes.get(q.Get("code"))
	switch {
	case q.Get("grant_type") != "authorization_code":
		return nil, 40002
	case q.Get("appid") != o.account.AppID:
		return nil, 40013
	case q.Get("secret") != o.account.AppSecret:
		return nil, 40125
	case c == nil:
		return nil, 40029
	case c.used:
		return nil, 40163
	case now.Sub(c.minted) >= codeLife:
		return nil, 42003
	}
	c.used = true
	g := o.oauth.grantFor(c, now)
	a := g.answer(now)
	a.Scope, a.UnionID = g.scope, g.unionid
	if g.snapshot {
		a.IsSnapshotUser = 1
	}
	return a, 0
}

// refresh is /sns/oauth2/refresh_token.
func (o *official) refresh(q url.Values, now time.Time) (any, int) {
	if errcode := missing(q, "appid", "refresh_token"); errcode != 0 {
		return nil, errcode
	}
	g := o.oauth.refresh.get(q.Get("refresh_token"))
	switch {
	case q.Get("grant_type") != "refresh_token":
		return nil, 40002
	case q.Get("appid") != o.account.AppID:
		return nil, 40013
	case g == nil:
		return nil, 40030
	case now.Sub(g.issued) >= refreshLife:
		return nil, 42002
	}
	o.oauth.renew(g, now)
	return g.answer(now), 0
}

// userInfo is /sns/userinfo.
func (o *official) userInfo(q url.Values, now time.Time) (any, int) {
	g, errcode := o.granted(q, now)
	switch {
	case errcode != 0:
		return nil, errcode
	case g.scope == "snsapi_base" || g.snapshot:
		return nil, 48001
	}
	lang := q.Get("lang")
	if !slices.Contains([]string{"zh_CN", "zh_TW", "en"}, lang) {
		lang = "zh_CN"
	}
	return userAnswer{
		OpenID:     g.openid,
		Nickname:   o.platform.chat.nickname(talker{o.account.AppID, g.openid}),
		Language:   lang,
		HeadImgURL: "https://thirdwx.qlogo.cn/mmopen/vi_32/fake/132",
		Privilege:  []string{}, // not null
		UnionID:    g.unionid,
	}, 0
}

// checkToken is /sns/auth.
func (o *official) checkToken(q url.Values, now time.Time) (any, int) {
	if _, errcode := o.granted(q, now); errcode != 0 {
		return nil, errcode
	}
	return errorAnswer{0, "ok"}, 0
}

// granted returns the grant of the query's access_token and openid, or an errcode.
func (o *official) granted(q url.Values, now time.Time) (*grant, int) {
	if errcode := missing(q, "access_token", "openid"); errcode != 0 {
		return nil, errcode
	}
	t := o.oauth.access.get(q.Get("access_token"))
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

// answer returns what a refresh says.
func (g *grant) answer(now time.Time) tokenAnswer {
	scope := g.scope
	if scope == "snsapi_userinfo" {
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
