package login

import (
	"log/slog"
	"net/http"
	"net/url"

	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// failureReason names the cause of a failed login, in the log and in the address of its page: one of these, the name of an
// oauthv1.ErrorReason or of a gRPC code.
type failureReason string

const (
	reasonState        failureReason = "state"
	reasonDeclined     failureReason = "declined"
	reasonNoCookie     failureReason = "no_cookie"
	reasonSnapshotUser failureReason = "snapshot_user"
	reasonSession      failureReason = "session"
	reasonTooMany      failureReason = "too_many"
	reasonHost         failureReason = "host"
	reasonOtherSite    failureReason = "other_site"
	reasonTimeout      failureReason = "timeout"
	reasonQuery        failureReason = "query"
	reasonAccount      failureReason = "account"
	reasonScope        failureReason = "scope"
	reasonReturnTo     failureReason = "return_to"
	reasonUnknown      failureReason = "unknown" // the address of the page has none of these
)

// wrongState is the text for every wrong state: it does not help a forger to find the fault.
var wrongState = failureText{http.StatusForbidden, "This login is not valid, or took too long.", "登录无效或已过期。"}

// loginTexts are the texts for the reasons that this package finds itself.
var loginTexts = map[failureReason]failureText{
	reasonState:    wrongState,
	reasonDeclined: {http.StatusBadRequest, "You did not agree to the login.", "你没有同意登录。"},
	reasonNoCookie: {http.StatusBadRequest, "This browser did not keep the cookie of its login. Allow cookies for this site, or open it in another browser.",
		"浏览器没有保存本次登录的 Cookie。请允许本网站使用 Cookie，或换一个浏览器打开。"},
	reasonSnapshotUser: {http.StatusBadRequest, "This page is a preview. Tap 使用完整服务 (use the full service) below, then log in.",
		"当前为快照页，请点击下方「使用完整服务」后再登录。"},
	reasonSession:   {http.StatusInternalServerError, "This site cannot log you in.", "本网站无法为你登录。"},
	reasonTooMany:   {http.StatusTooManyRequests, "Too many logins from your network failed; try again in a minute.", "你所在网络的登录失败次数过多，请一分钟后再试。"},
	reasonHost:      {http.StatusBadRequest, "The request has no Host.", "请求缺少 Host。"},
	reasonOtherSite: {http.StatusForbidden, "A page of another site asked to log you out.", "其他网站的页面请求退出登录。"},
	reasonTimeout:   tooSlow,
	reasonQuery:     {http.StatusBadRequest, "The address is malformed.", "地址格式不正确。"},
	reasonAccount:   {http.StatusBadRequest, "There is no such account.", "没有这个公众号。"},
	reasonScope:     {http.StatusBadRequest, "scope is not one of snsapi_base, snsapi_userinfo and snsapi_login.", "scope 只能是 snsapi_base、snsapi_userinfo 或 snsapi_login。"},
	reasonReturnTo:  {http.StatusBadRequest, "return_to leads to a page that is not allowed.", "return_to 指向的页面不被允许。"},
}

// textForReason returns the text for a reason; known is false for an unknown reason.
func textForReason(reason failureReason) (text failureText, known bool) {
	if text, known = loginTexts[reason]; known {
		return text, true
	}
	if text, known = reasonTexts[oauthv1.ReasonNamed(string(reason))]; known {
		return text, true
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		if code.String() == string(reason) {
			return unreachable, true
		}
	}
	return failureText{http.StatusBadRequest, "The login failed.", "登录失败。"}, false
}

// failedPage is the page of a login that failed for a reason of loginTexts.
func failedPage(reason failureReason, retry string) *pageError {
	text := loginTexts[reason]
	return &pageError{text.status, reason, text.english, text.chinese, retry}
}

// leaveCallback redirects a browser whose login failed to an address without code and state. A wrong state gets a 403 page, which
// moves on by itself.
func (s *loginServer) leaveCallback(w http.ResponseWriter, r *http.Request, t loginTarget, failure *pageError) error {
	reason, rest := failure.reason, ""
	if failure.status == http.StatusForbidden {
		reason = reasonState
	}
	if failure.retry != "" {
		t.again = false
		rest = "&" + s.targetQuery(t)
	}
	to := failedPath + "?reason=" + url.QueryEscape(string(reason)) + rest
	if failure.status == http.StatusForbidden {
		w.Header().Set("Refresh", "0; url="+to)
		return failure
	}
	service.LineOf(r.Context()).Add(slog.String("reason", string(failure.reason)))
	redirectTo(w, to)
	return nil
}

// handleFailed shows the page of a login that failed.
func (s *loginServer) handleFailed(_ http.ResponseWriter, r *http.Request) error {
	q, err := readParameters(r, "reason", "return_to", "account", "scope")
	if err != nil {
		return err
	}
	retry := loginPath
	if t, err := s.readTarget(q); err == nil {
		retry = s.retryURL(t)
	}
	reason := failureReason(q["reason"])
	text, known := textForReason(reason)
	if !known {
		reason = reasonUnknown // a stranger's text must not get into the log
	}
	return &pageError{text.status, reason, text.english, text.chinese, retry}
}
