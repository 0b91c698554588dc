package login

import (
	"log/slog"
	"net/http"
	"net/url"

	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// wrongState is told of every state that is wrong: which of its faults it has, a forger need not know.
var wrongState = words{http.StatusForbidden, "This login is not valid, or took too long.", "登录无效或已过期。"}

// loginWords are the words for what ends a login before oauthsvc does, by the reason in the address of their page.
var loginWords = map[string]words{
	"state":    wrongState,
	"declined": {http.StatusBadRequest, "You did not agree to the login.", "你没有同意登录。"},
	"no_cookie": {http.StatusBadRequest, "This browser did not keep the cookie of its login. Allow cookies for this site, or open it in another browser.",
		"浏览器没有保存本次登录的 Cookie。请允许本网站使用 Cookie，或换一个浏览器打开。"},
	"snapshot_user": {http.StatusBadRequest, "This page is a preview. Tap 使用完整服务 (use the full service) below, then log in.",
		"当前为快照页，请点击下方「使用完整服务」后再登录。"},
	"session":    {http.StatusInternalServerError, "This site cannot log you in.", "本网站无法为你登录。"},
	"too_many":   {http.StatusTooManyRequests, "Too many logins from your network failed; try again in a minute.", "你所在网络的登录失败次数过多，请一分钟后再试。"},
	"host":       {http.StatusBadRequest, "The request has no Host.", "请求缺少 Host。"},
	"other_site": {http.StatusForbidden, "A page of another site asked to log you out.", "其他网站的页面请求退出登录。"},
	"timeout":    tooSlow,
	"query":      {http.StatusBadRequest, "The address is malformed.", "地址格式不正确。"},
	"account":    {http.StatusBadRequest, "There is no such account.", "没有这个公众号。"},
	"scope":      {http.StatusBadRequest, "scope is not one of snsapi_base, snsapi_userinfo and snsapi_login.", "scope 只能是 snsapi_base、snsapi_userinfo 或 snsapi_login。"},
	"return_to":  {http.StatusBadRequest, "return_to leads to a page that is not allowed.", "return_to 指向的页面不被允许。"},
}

// wordsOf returns the words for a reason; known is false if it is none of ours.
func wordsOf(reason string) (told words, known bool) {
	if told, known = loginWords[reason]; known {
		return told, true
	}
	if told, known = failureWords[oauthv1.ReasonNamed(reason)]; known {
		return told, true
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		if code.String() == reason {
			return away, true
		}
	}
	return words{http.StatusBadRequest, "The login failed.", "登录失败。"}, false
}

// failedPage is the page of a login that ended for a reason of loginWords.
func failedPage(reason, retry string) *pageError {
	told := loginWords[reason]
	return &pageError{told.status, reason, told.english, told.chinese, retry}
}

// leaveCallback moves a browser whose login failed on to an address without code and state. A wrong state gets its 403 even so:
// that page moves on by itself.
func (o *oauth) leaveCallback(w http.ResponseWriter, r *http.Request, t target, why *pageError) error {
	reason, rest := why.reason, ""
	if why.status == http.StatusForbidden {
		reason = "state"
	}
	if why.retry != "" {
		t.again = false
		rest = "&" + o.query(t)
	}
	to := failedPath + "?reason=" + url.QueryEscape(reason) + rest
	if why.status == http.StatusForbidden {
		w.Header().Set("Refresh", "0; url="+to)
		return why
	}
	service.LineOf(r.Context()).Add(slog.String("reason", why.reason))
	redirect(w, to)
	return nil
}

// failed says in words why a login failed.
func (o *oauth) failed(_ http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "reason", "return_to", "account", "scope")
	if err != nil {
		return err
	}
	retry := loginPath
	if t, err := o.target(q); err == nil {
		retry = o.retry(t)
	}
	told, known := wordsOf(q["reason"])
	reason := q["reason"]
	if !known {
		reason = "unknown" // it may be anything, and goes into the log
	}
	return &pageError{told.status, reason, told.english, told.chinese, retry}
}
