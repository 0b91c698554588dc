package fakewechat

import (
	"net/http"
	"strings"

	"wxgate/fakewechat/sender"
)

// bilingualText is a text in English and in Chinese; a locale is its index.
type bilingualText [2]string

// sameInBoth returns a text that is the same in both languages, such as a path.
func sameInBoth(text string) bilingualText { return bilingualText{text, text} }

// inBoth returns a reason in both languages.
func inBoth(format string, args ...any) bilingualText {
	why := sender.Because(format, args...)
	return bilingualText{why.Error(), why.Chinese()}
}

// zipTexts returns texts with their translations.
func zipTexts(english, chinese []string) (texts []bilingualText) {
	for i := range english {
		texts = append(texts, bilingualText{english[i], chinese[i]})
	}
	return texts
}

// pageWords has the texts of the authorize pages and of the log page, in English and Chinese.
var pageWords = map[string][2]string{
	"title":       {"Log in with fake WeChat", "模拟微信登录"},
	"not_real":    {"Fake WeChat, not for production: it asks nobody for a password.", "模拟微信，不要用于生产：不会向任何人要密码。"},
	"asks":        {"asks to", "申请获取以下权限"},
	scopeUserInfo: {"see your nickname and picture", "获取你的昵称、头像"},
	scopeLogin:    {"log you in on the web page, with your nickname and picture", "在网页上登录，并获取你的昵称、头像"},
	"allow":       {"Allow", "允许"},
	"refuse":      {"Refuse", "拒绝"},
	"confirm":     {"Confirm login", "确认登录"},
	"cancel":      {"Cancel", "取消"},
	"other":       {"Another user", "换一个用户"},
	"new":         {"New user", "新用户"},
	"snapshot":    {"Open as a snapshot page", "以快照页打开"},
	"no_snapshot": {"Leave the snapshot page", "退出快照页"},
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

// localeOf returns the language that the address names (lang=zh or lang=en), else Chinese if the browser prefers it, else
// English.
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

// Lang returns the value of HTML's lang.
func (l locale) Lang() string { return [...]string{"en", "zh-CN"}[l] }

// Other returns the other language, as an address names it.
func (l locale) Other() string { return [...]string{"zh", "en"}[l] }

// In returns a text in this language.
func (l locale) In(text bilingualText) string { return text[l] }

// T returns the text of pageWords with a name.
func (l locale) T(name string) string { return pageWords[name][l] }
