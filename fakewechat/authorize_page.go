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

//go:embed authorize.css
var authorizeCSS []byte

// noOpenID is the key of pageErrors for a fakeUser that is none.
const noOpenID = -1

// pageErrors are the errors of the authorize page, in English and Chinese. WeChat shows them to the user; redirect_uri
// never learns of them.
var pageErrors = map[int][2]string{
	noOpenID: {fakeUser + " is no openid: 1 to 128 of a-z, A-Z, 0-9, - and _", fakeUser + " 不是 openid：只能是 1 到 128 个 a-z、A-Z、0-9、- 和 _"},
	0: {
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
	40013: {"the appid is no account's", "没有公众号的 AppID 是这个 appid"},
}

// pageWords are the words of the authorize pages and of the log, in English and Chinese.
var pageWords = map[string][2]string{
	"title":           {"Log in with fake WeChat", "模拟微信登录"},
	"not_real":        {"Fake WeChat, not for production: it asks nobody for a password.", "模拟微信，不要用于生产：不会向任何人要密码。"},
	"asks":            {"asks to", "申请获取以下权限"},
	"snsapi_userinfo": {"see your nickname and picture", "获取你的昵称、头像"},
	"snsapi_login":    {"log you in on the web page, with your nickname and picture", "在网页上登录，并获取你的昵称、头像"},
	"allow":           {"Allow", "允许"},
	"refuse":          {"Refuse", "拒绝"},
	"confirm":         {"Confirm login", "确认登录"},
	"cancel":          {"Cancel", "取消"},
	"other":           {"Another user", "换一个用户"},
	"new":             {"New user", "新用户"},
	"snapshot":        {"Open as a snapshot page", "以快照页打开"},
	"no_snapshot":     {"Leave the snapshot page", "退出快照页"},
	"is_snapshot": {
		"Snapshot page: the site gets a virtual user (is_snapshotuser=1) without nickname and picture.",
		"快照页：网站得到的是虚拟用户（is_snapshotuser=1），没有昵称和头像。",
	},
	"virtual":   {"WeChat user", "微信用户"},
	"goes":      {"then goes to", "随后前往"},
	"scan":      {"Scan with WeChat to log in", "使用微信扫一扫登录"},
	"code":      {"QR code", "二维码"},
	"scanned":   {"Scanned by %s. Confirm on the phone.", "%s 已扫描，请在手机上确认"},
	"phone":     {"The phone", "手机"},
	"refused":   {"Fake WeChat refuses this link", "模拟微信拒绝了这个链接"},
	"error":     {"Error", "错误"},
	"parameter": {"Parameter error", "参数错误"},
	"colon":     {": ", "："},

	"log":                {"Fake WeChat: log", "模拟微信：日志"},
	"chats":              {"Chats", "聊天"},
	"not_for_production": {"Not for production. AppID", "不要用于生产。AppID"},
	"send":               {"Send", "发送"},
	"with":               {"with", "内容"},
	"to":                 {"to", "发到"},
	"kinds":              {"Kinds", "类型"},
	"no_gateway":         {"No gateway to send to.", "没有可以发送到的网关。"},
	"time":               {"Time", "时间"},
	"what":               {"What", "事项"},
	"outcome":            {"Outcome", "结果"},
	"reads":              {"The user sees: ", "用户看到："},
	"nothing":            {"Nothing yet.", "还没有记录。"},
	"language":           {"中文", "English"},
}

// locale is one of the two languages.
type locale int

// localeOf returns the language that the address names (lang=zh or lang=en), else the one that the browser prefers: Chinese,
// else English.
func localeOf(r *http.Request) locale {
	switch r.URL.Query().Get("lang") {
	case "zh":
		return 1
	case "en":
		return 0
	}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("Accept-Language"))), "zh") {
		return 1
	}
	return 0
}

// Lang is the value of HTML's lang.
func (l locale) Lang() string { return [...]string{"en", "zh-CN"}[l] }

// Other is the language that it is not, as an address names it.
func (l locale) Other() string { return [...]string{"zh", "en"}[l] }

// In returns a text's words.
func (l locale) In(text bilingual) string { return text[l] }

// T returns the words of a name.
func (l locale) T(name string) string { return pageWords[name][l] }

// consent is what the pages of snsapi_userinfo and snsapi_login show.
type consent struct {
	locale
	authRequest
	OriginalID    string
	Allow, Refuse string // where the links lead
	User          chatUser
	Others        []chosenUser
	NewUser       string // leads to this page, as somebody new
	Snapshot      bool   // of a snapshot page
	Toggle        string // leads to the snapshot page, or back from it; "": there is none
	Code          string // of the QR code, as SVG's path
}

// chosenUser is a user who may be chosen, and by which link.
type chosenUser struct {
	chatUser
	Href string
}

// ask asks the user.
func (p *Platform) ask(w http.ResponseWriter, r *http.Request, c consent, query string) {
	page := func(query string) string { return r.URL.Path + "?" + query }
	as := func(openid string) string { return page(query + "&" + fakeUser + "=" + url.QueryEscape(openid)) }
	c.Allow = origin(r) + as(c.User.OpenID) + "&" + fakeAllow + "=1"
	for _, u := range p.chat.usersOf(c.AppID) {
		if u.OpenID != c.User.OpenID {
			c.Others = append(c.Others, chosenUser{u, as(u.OpenID)})
		}
	}
	c.locale, c.NewUser, c.Snapshot = localeOf(r), as(newOpenID()), c.snapshot
	if c.Scope == "snsapi_login" {
		c.Code = drawCode(query)
		render(w, http.StatusOK, "scan", c)
		return
	}
	parts := slices.DeleteFunc(strings.Split(query, "&"), func(part string) bool { return strings.HasPrefix(part, "forceSnapShot=") })
	if !c.snapshot {
		parts = append(parts, "forceSnapShot=true")
	}
	c.Toggle = page(strings.Join(parts, "&"))
	render(w, http.StatusOK, "consent", c)
}

// origin returns the scheme and host that a request was made to: a script takes a link of the page as it is.
func origin(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// refuse shows why WeChat refuses the link.
func (p *Platform) refuse(w http.ResponseWriter, r *http.Request, errcode int) {
	p.saw(seen{What: sameInBoth(r.URL.Path), Outcome: bilingual{
		fmt.Sprintf("refused: %d %s", errcode, pageErrors[errcode][0]), fmt.Sprintf("拒绝：%d %s", errcode, pageErrors[errcode][1]),
	}})
	p.log.Info("fake WeChat authorize page", "path", r.URL.Path, "errcode", errcode)
	l := localeOf(r)
	message := pageErrors[errcode][l]
	if domain := p.of(r.URL.Query().Get("appid")).account.WebDomain; errcode == 10003 && domain != "" {
		message += l.T("colon") + domain
	}
	render(w, http.StatusBadRequest, "refused", struct {
		locale
		Errcode int // 0 or less: WeChat has none
		Message string
	}{l, errcode, message})
}

// drawCode draws what looks like a QR code, the same for the same text, as the data of an SVG path. Nothing can scan it.
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
