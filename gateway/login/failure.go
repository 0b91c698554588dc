package login

import (
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	oauthv1 "wxgate/proto/oauth/v1"
)

// failureText is the page of a login that failed.
type failureText struct {
	status           int
	english, chinese string
}

// The texts that several reasons share.
var (
	loginOver     = failureText{http.StatusBadRequest, "WeChat does not accept this login any more.", "微信不再接受这次登录。"}
	notAllowed    = failureText{http.StatusBadRequest, "WeChat did not allow this login.", "微信没有允许这次登录。"}
	wrongSettings = failureText{http.StatusBadGateway, "WeChat rejects this site; its operator has to fix the settings.", "微信拒绝了本网站的请求，需要网站管理员检查配置。"}
	rateLimited   = failureText{http.StatusBadGateway, "WeChat is asked too often; try again later.", "请求微信过于频繁，请稍后再试。"}
	unreachable   = failureText{http.StatusBadGateway, "WeChat cannot be reached at the moment.", "暂时无法连接微信。"}
	tooSlow       = failureText{http.StatusGatewayTimeout, "WeChat took too long to answer.", "微信响应超时。"}
	notUnderstood = failureText{http.StatusBadGateway, "WeChat's answer was not understood.", "无法理解微信的应答。"}
)

// reasonTexts are the texts for the reasons of oauthsvc. STATE_USED has none: its text is that of every wrong state.
var reasonTexts = map[oauthv1.ErrorReason]failureText{
	oauthv1.ErrorReason_ERROR_REASON_UNKNOWN_ACCOUNT:      {http.StatusBadRequest, "This account has no login.", "这个公众号没有网页登录。"},
	oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST:      loginOver,
	oauthv1.ErrorReason_ERROR_REASON_CODE_USED:            loginOver,
	oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID:         loginOver,
	oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED:         loginOver,
	oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED:       loginOver,
	oauthv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED:        loginOver,
	oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID:        loginOver,
	oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED:       notAllowed,
	oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED:      notAllowed,
	oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID:  wrongSettings,
	oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED:       wrongSettings,
	oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED:         rateLimited,
	oauthv1.ErrorReason_ERROR_REASON_QUOTA_EXHAUSTED:      rateLimited,
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE: unreachable,
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:     tooSlow,
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR:       notUnderstood,
	oauthv1.ErrorReason_ERROR_REASON_OPENID_INVALID:       notUnderstood,
	oauthv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE:    {http.StatusServiceUnavailable, "This site cannot log anybody in at the moment.", "本网站暂时无法登录。"},
	// Reasons of messages: oauthsvc gives a login none of them.
	oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED:   notUnderstood,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT:   notUnderstood,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID: notUnderstood,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_UNKNOWN: notUnderstood,
}

// failedCallPage turns an error of oauthsvc into a page. No other code does.
func failedCallPage(err error, retry string) *pageError {
	code, reason := status.Code(err), oauthv1.ReasonOf(err)
	if reason == oauthv1.ErrorReason_ERROR_REASON_STATE_USED {
		return forbiddenPage(failureReason(reason.Name()), retry)
	}
	name := failureReason(reason.Name())
	text, known := reasonTexts[reason]
	switch {
	case known:
	case code == codes.DeadlineExceeded:
		name, text = reasonTimeout, tooSlow
	default:
		name, text = failureReason(code.String()), unreachable
	}
	return &pageError{text.status, name, text.english, text.chinese, retry}
}
