package gateway

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// pageError is a failure that a person in a browser reads.
type pageError struct {
	status           int
	reason           string // for the log, from a fixed set
	english, chinese string
	retry            string // where to try again; "": nowhere
}

func (e *pageError) Error() string { return e.reason }

func badPage(reason, english, chinese string) *pageError {
	return &pageError{http.StatusBadRequest, reason, english, chinese, ""}
}

func returnPage() *pageError {
	return badPage("return_to", "return_to leads to a page that is not allowed.", "return_to 指向的页面不被允许。")
}

// forbiddenPage says one thing for every state that is wrong.
func forbiddenPage(reason, retry string) *pageError {
	return &pageError{http.StatusForbidden, reason, "This login is not valid, or took too long.", "登录无效或已过期。", retry}
}

// oauthFailure turns an error of oauthsvc into what the browser gets. It is the one place that does.
func oauthFailure(err error, retry string) *pageError {
	st := status.Convert(err)
	reason := ""
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			reason = info.GetReason()
		}
	}
	switch {
	case reason == trim(oauthv1.ErrorReason_ERROR_REASON_STATE_USED):
		return forbiddenPage(reason, retry)
	case reason == trim(oauthv1.ErrorReason_ERROR_REASON_CODE_USED),
		reason == trim(oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID),
		reason == trim(oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED),
		reason == trim(oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED),
		reason == trim(oauthv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED),
		reason == trim(oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID),
		reason == trim(oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST):
		return &pageError{http.StatusBadRequest, reason, "WeChat does not accept this login any more.", "微信不再接受这次登录。", retry}
	case reason == trim(oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED),
		reason == trim(oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED):
		return &pageError{http.StatusBadRequest, reason, "WeChat did not allow this login.", "微信没有允许这次登录。", retry}
	case st.Code() == codes.DeadlineExceeded:
		return &pageError{http.StatusGatewayTimeout, "timeout", "WeChat took too long to answer.", "微信响应超时。", retry}
	}
	if reason == "" {
		reason = st.Code().String()
	}
	return &pageError{http.StatusBadGateway, reason, "WeChat cannot be reached at the moment.", "暂时无法连接微信。", retry}
}

// trim returns a reason as google.rpc.ErrorInfo has it.
func trim(r oauthv1.ErrorReason) string { return r.String()[len("ERROR_REASON_"):] }

func (e *pageError) write(ctx context.Context, w http.ResponseWriter) {
	service.LineOf(ctx).Add(slog.String("reason", e.reason))
	_ = writePage(w, e.status, page{Title: e.chinese + " " + e.english, Retry: e.retry})
}

type page struct{ Title, Retry string }

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<p>{{.Title}}</p>
{{with .Retry}}<p><a href="{{.}}">重试 · Try again</a></p>
{{end}}</html>
`))

func writePage(w http.ResponseWriter, code int, p page) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(code)
	return pageTemplate.Execute(w, p)
}
