package fakewechat

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed page/authorize.css
var authorizeCSS []byte

// noOpenID is the key of pageErrors for an invalid fakeUser.
const noOpenID = -1

// pageErrors has the errors of the authorize page, in English and Chinese. WeChat shows them to the user; redirect_uri never
// gets them.
var pageErrors = map[int][2]string{
	noOpenID: {fakeUser + " is not an openid: 1 to 128 of a-z, A-Z, 0-9, - and _", fakeUser + " 不是 openid：只能是 1 到 128 个 a-z、A-Z、0-9、- 和 _"},
	syntaxError: {
		"WeChat takes only appid, redirect_uri, response_type=code, scope, state in this order, then forcePopup, forceSnapShot or connect_redirect",
		"微信只接受依次为 appid、redirect_uri、response_type=code、scope、state 的参数，其后可以有 forcePopup、forceSnapShot 或 connect_redirect",
	},
	10003: {
		"the redirect_uri is not an http or https address of the account's web authorization domain",
		"redirect_uri 域名与后台配置不一致：不是网页授权域名下的 http 或 https 地址",
	},
	10005: {"the account has no permission for this scope", "该公众号没有这个 scope 的权限"},
	10010: {"the scope is missing", "缺少 scope"},
	10011: {"the redirect_uri is missing", "缺少 redirect_uri"},
	10012: {"the appid is missing", "缺少 appid"},
	10013: {"the state is empty, longer than 128 or has other characters than a-z, A-Z, 0-9", "state 为空、超过 128 个字符，或含有 a-z、A-Z、0-9 以外的字符"},
	40013: {"no account has this appid", "没有公众号的 AppID 是这个 appid"},
}

// consentPage has the content of the pages of snsapi_userinfo and snsapi_login.
type consentPage struct {
	locale
	authRequest
	OriginalID    string
	Allow, Refuse string // targets of the links
	User          chatUser
	Others        []chosenUser
	NewUser       string // target: this page, as a new user
	Snapshot      bool   // it is a snapshot page
	Toggle        string // target: the snapshot page, or back from it; "": no link
	Code          string // the QR code, as the path of an SVG
}

// chosenUser is a user who may be chosen, and the link for it.
type chosenUser struct {
	chatUser
	Href string
}

// askUser shows the page that asks the user.
func (p *Platform) askUser(w http.ResponseWriter, r *http.Request, c consentPage, query string) {
	page := func(query string) string { return r.URL.Path + "?" + query }
	as := func(openid string) string { return page(query + "&" + fakeUser + "=" + url.QueryEscape(openid)) }
	c.Allow = requestOrigin(r) + as(c.User.OpenID) + "&" + fakeAllow + "=1"
	for _, u := range p.chat.usersOf(c.AppID) {
		if u.OpenID != c.User.OpenID {
			c.Others = append(c.Others, chosenUser{u, as(u.OpenID)})
		}
	}
	c.locale, c.NewUser, c.Snapshot = localeOf(r), as(newOpenID()), c.snapshot
	if c.Scope == scopeLogin {
		c.Code = drawCode(query)
		renderPage(w, http.StatusOK, "scan", c)
		return
	}
	parts := slices.DeleteFunc(strings.Split(query, "&"), func(part string) bool { return strings.HasPrefix(part, "forceSnapShot=") })
	if !c.snapshot {
		parts = append(parts, "forceSnapShot=true")
	}
	c.Toggle = page(strings.Join(parts, "&"))
	renderPage(w, http.StatusOK, "consent", c)
}

// requestOrigin returns the scheme and host of a request. Links are absolute, so that a script can use them as they are.
func requestOrigin(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// refuseLink shows the reason for which WeChat rejects the link.
func (p *Platform) refuseLink(w http.ResponseWriter, r *http.Request, errcode int) {
	p.addLogLine(logLine{What: sameInBoth(r.URL.Path), Outcome: bilingualText{
		fmt.Sprintf("refused: %d %s", errcode, pageErrors[errcode][0]), fmt.Sprintf("拒绝：%d %s", errcode, pageErrors[errcode][1]),
	}})
	p.log.Info("fake WeChat authorize page", "path", r.URL.Path, "errcode", errcode)
	l := localeOf(r)
	message := pageErrors[errcode][l]
	if domain := p.accountByAppID(r.URL.Query().Get("appid")).settings.WebDomain; errcode == 10003 && domain != "" {
		message += l.T("colon") + domain
	}
	renderPage(w, http.StatusBadRequest, "refused", struct {
		locale
		Errcode int // 0 or less: WeChat has none
		Message string
	}{l, errcode, message})
}

// drawCode draws an imitation of a QR code as the path of an SVG, the same for the same text. It cannot be scanned.
func drawCode(text string) string {
	const size, corner = 29, 7
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(text))))
	var path strings.Builder
	for y := range size {
		for x := range size {
			dark := random.Uint32()%2 == 0
			cx, cy := min(x, size-1-x), min(y, size-1-y)
			if cx <= corner && cy <= corner && (x < size/2 || y < size/2) { // a corner's mark: a square in a ring
				ring := max(abs(cx-corner/2), abs(cy-corner/2))
				dark = ring <= 1 || ring == 3
			}
			if dark {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return path.String()
}

func abs(n int) int { return max(n, -n) }
