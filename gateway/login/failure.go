package login

import (
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	oauthv1 "wxgate/proto/oauth/v1"
)

// words are what the browser gets where a login fails.
type words struct {
	status           int
	english, chinese string
}

// The words that several reasons share.
var (
	loginOver  = words{http.StatusBadRequest, "WeChat does not accept this login any more.", "微信不再接受这次登录。"}
	notAllowed = words{http.StatusBadRequest, "WeChat did not allow this login.", "微信没有允许这次登录。"}
	misset     = words{http.StatusBadGateway, "WeChat refuses this site; its operator has to mend the settings.", "微信拒绝了本网站的请求，需要网站管理员检查配置。"}
	tooOften   = words{http.StatusBadGateway, "WeChat is asked too often; try again later.", "请求微信过于频繁，请稍后再试。"}
	away       = words{http.StatusBadGateway, "WeChat cannot be reached at the moment.", "暂时无法连接微信。"}
	tooSlow    = words{http.StatusGatewayTimeout, "WeChat took too long to answer.", "微信响应超时。"}
	unexpected = words{http.StatusBadGateway, "WeChat gave an answer that is not understood.", "无法理解微信的应答。"}
)

// failureWords are the words for each reason of oauthsvc. STATE_USED has none: it says what every wrong state says.
var failureWords = map[oauthv1.ErrorReason]words{
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
	oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID:  misset,
	oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED:       misset,
	oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED:         tooOften,
	oauthv1.ErrorReason_ERROR_REASON_QUOTA_EXHAUSTED:      tooOften,
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE: away,
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:     tooSlow,
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR:       unexpected,
	oauthv1.ErrorReason_ERROR_REASON_OPENID_INVALID:       unexpected,
	oauthv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE:    {http.StatusServiceUnavailable, "This site cannot log anybody in at the moment.", "本网站暂时无法登录。"},
	// Reasons of messages; a login that gets one met another service than ours.
	oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED:   unexpected,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT:   unexpected,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID: unexpected,
	oauthv1.ErrorReason_ERROR_REASON_MESSAGE_UNKNOWN: unexpected,
}

// oauthFailure turns an error of oauthsvc into what the browser gets. It is the one place that does.
func oauthFailure(err error, retry string) *pageError {
	code, reason := status.Code(err), oauthv1.ReasonOf(err)
	if reason == oauthv1.ErrorReason_ERROR_REASON_STATE_USED {
		return forbiddenPage(reason.Name(), retry)
	}
	name := reason.Name()
	told, known := failureWords[reason]
	switch {
	case known:
	case code == codes.DeadlineExceeded:
		name, told = "timeout", tooSlow
	default:
		name, told = code.String(), away
	}
	return &pageError{told.status, name, told.english, told.chinese, retry}
}
