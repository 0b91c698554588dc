package oauthsvc

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// failure is why a call failed.
type failure struct {
	code    codes.Code
	reason  oauthv1.ErrorReason
	message string // for the caller: what to do about it
	errcode string // WeChat's; "" where it gave none
	rid     string // WeChat's id of the request; "" where it gave none
	cause   error  // for the log; may be nil

	ofHost     bool          // the host did not answer as WeChat's API does: another may
	unsent     bool          // nothing of the request's body was sent: WeChat cannot have done it
	maybeSent  bool          // whether WeChat took the message is not known
	retryAfter time.Duration // when to try again; 0: at once, or never
}

// err returns the failure as the error of a gRPC handler.
func (f *failure) err() error {
	meta := map[string]string{}
	if f.errcode != "" {
		meta["errcode"] = f.errcode
	}
	if f.rid != "" {
		meta["rid"] = f.rid
	}
	if f.maybeSent {
		meta["maybe_sent"] = "true"
	}
	if f.retryAfter > 0 {
		meta["retry_after_ms"] = strconv.FormatInt(f.retryAfter.Milliseconds(), 10)
	}
	return service.NewError(f.code, reasonName(f.reason), f.message, meta, f.cause)
}

// aboutCode tells whether WeChat refused the code itself, so that asking again with it is of no use.
func (f *failure) aboutCode() bool {
	switch f.reason {
	case oauthv1.ErrorReason_ERROR_REASON_CODE_USED, oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID,
		oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED:
		return true
	}
	return false
}

// meaning is what some errcodes of WeChat's mean.
type meaning struct {
	errcodes []int64
	of       []call // the calls for which it holds; nil: all
	code     codes.Code
	reason   oauthv1.ErrorReason
	message  string
}

// meanings is platform.md E.4. The first that holds for the call counts.
var meanings = []meaning{
	{[]int64{-1}, nil, codes.Unavailable, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE,
		"WeChat's servers are busy; try again in a moment"},

	{[]int64{40029}, nil, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID,
		"WeChat does not know the code, or it is another account's; send the user to log in again"},
	{[]int64{40163}, nil, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_CODE_USED,
		"the code was used already; send the user to log in again"},
	{[]int64{42003}, nil, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED,
		"the code is older than five minutes; send the user to log in again"},

	{[]int64{40001}, []call{exchangeCall, tokenCall}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID,
		"WeChat refuses the AppSecret; compare --app-secret (WECHAT_APP_SECRET), or the accounts file, with the account's console"},
	// A refresh has no access token to be wrong: the refresh token is meant.
	{[]int64{40001, 40014, 42001}, []call{refreshCall}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		"the refresh token is not good any more; send the user to log in again"},
	{[]int64{40001, 40014, 42001}, []call{ticketCall, sendCall, typingCall, callbackIPCall, quotaCall}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID,
		"WeChat refuses the account's access token; see whether another program replaces it"},
	{[]int64{40001, 40014}, nil, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID,
		"WeChat does not know the access token, or a newer one replaced it; refresh it, or send the user to log in again"},
	{[]int64{42001}, nil, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED,
		"the access token expired; refresh it"},
	{[]int64{40030, 42002}, nil, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		"the refresh token is not good any more; send the user to log in again"},
	{[]int64{42007}, nil, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		"the user changed the password, which ended all tokens; send the user to log in again"},
	{[]int64{50001}, nil, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		"the user did not authorize the account, or withdrew; send the user to log in again"},
	{[]int64{40003}, nil, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_OPENID_INVALID,
		"openid: another account's, or not the token's; pass the one that came with the token"},

	{[]int64{45015}, []call{sendCall, typingCall}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED,
		"the user did nothing in the last 48 hours, or unsubscribed; wait until the user writes again"},
	{[]int64{45047}, []call{sendCall, typingCall}, codes.ResourceExhausted, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT,
		"the user has had as many messages as WeChat allows since they last did something; wait until the user writes again"},
	{[]int64{45080}, []call{typingCall}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED,
		"the user did nothing in the last 30 seconds; the typing state is for a running conversation"},
	{[]int64{45081}, []call{typingCall}, codes.AlreadyExists, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT,
		"the typing state is on already; nothing is to be done"},
	{[]int64{40033, 45002, 45008, 40200}, []call{sendCall}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID,
		"message: too long, with forbidden characters, or of a kind that the account may not send"},
	{[]int64{40007, 40008, 40009, 41006, 45001}, []call{sendCall}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID,
		"message: WeChat does not know the media_id, or does not take it; upload the media again"},
	{[]int64{43004, 43019, 48002}, []call{sendCall, typingCall}, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED,
		"the user does not follow the account, is on its black list, or refuses its messages"},
	{[]int64{76003, 76021, 76022}, []call{quotaCall}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
		"cgi_path: WeChat knows no such path, or keeps no quota for it; expected one such as /cgi-bin/message/custom/send"},

	{[]int64{48001}, nil, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED,
		"the token's scope is too small, or the account lacks the API; log in with scope snsapi_userinfo, or see the API rights in the account's console"},
	{[]int64{48004}, nil, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED,
		"WeChat banned the API for the account; see the notices in the account's console"},
	{[]int64{50002, 40226}, nil, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED,
		"WeChat restricts the user; nothing but WeChat's customer service can help the user"},
	{[]int64{50005}, nil, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED,
		"the user does not follow the account; ask the user to follow it first"},

	{[]int64{40013}, nil, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID,
		"WeChat refuses the AppID; compare --app-id (WECHAT_APP_ID), or the accounts file, with the account's console"},
	{[]int64{40125}, nil, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID,
		"WeChat refuses the AppSecret; compare --app-secret (WECHAT_APP_SECRET), or the accounts file, with the account's console"},
	{[]int64{40243}, nil, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID,
		"the AppSecret is frozen; unfreeze it in the account's console"},
	{[]int64{40164, 61004}, nil, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED,
		"this server's address is not on the account's IP white list; add it in the account's console"},
	{[]int64{89501, 89503, 89506, 89507}, nil, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED,
		"the account's administrator has not allowed calls from this server's address, or refused them; ask the administrator to confirm in WeChat"},

	{[]int64{45011}, nil, codes.ResourceExhausted, oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
		"too many calls in a short time; wait a minute"},
	{[]int64{45009}, nil, codes.ResourceExhausted, oauthv1.ErrorReason_ERROR_REASON_QUOTA_EXHAUSTED,
		"the day's calls are used up; wait until tomorrow, or clear the quota in the account's console"},

	// All parameters are checked before they are sent, so this is a defect here or a change at WeChat's.
	{[]int64{40002, 41001, 41002, 41003, 41004, 41005, 41006, 41007, 41008, 41009, 43001, 43002, 43003}, nil,
		codes.Internal, oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
		"WeChat misses something in the request that this service made; report it with errcode and rid"},
}

// retryAfter is when a call may be made again that WeChat refuses for a reason that passes. WeChat counts calls by the minute
// (errcode 45011), and names no time.
var retryAfter = map[oauthv1.ErrorReason]time.Duration{
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE: time.Second,
	oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED:         10 * time.Second,
}

// refusal returns what an errcode other than 0 means for a call.
func refusal(c call, errcode int64, errmsg string) *failure {
	f := &failure{code: codes.Unknown, reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR,
		message: "WeChat refused with an errcode that this version does not know; look it up on WeChat's developer site",
		errcode: strconv.FormatInt(errcode, 10), rid: ridOf(errmsg)}
	for _, m := range meanings {
		if slices.Contains(m.errcodes, errcode) && (m.of == nil || slices.Contains(m.of, c)) {
			f.code, f.reason, f.message = m.code, m.reason, m.message
			f.retryAfter = retryAfter[m.reason]
			break
		}
	}
	if ip := ipOf(errmsg); ip != "" && f.reason == oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED {
		f.message += " (WeChat saw " + ip + ")"
	}
	return f
}

// ridPattern finds WeChat's id of a request in an errmsg: "rid: 6a5c…", and of old "hints: [ req_id: k2d… ]".
var ridPattern = regexp.MustCompile(`\b(?:rid|req_id): ?([0-9A-Za-z._-]{1,64})`)

func ridOf(errmsg string) string {
	if found := ridPattern.FindStringSubmatch(errmsg); found != nil {
		return found[1]
	}
	return ""
}

var ipPattern = regexp.MustCompile(`\binvalid ip ([0-9A-Fa-f.:]{2,45})`)

// ipOf returns the address that an errmsg complains about, or "".
func ipOf(errmsg string) string {
	if found := ipPattern.FindStringSubmatch(errmsg); found != nil {
		if ip, err := netip.ParseAddr(found[1]); err == nil {
			return ip.String()
		}
	}
	return ""
}
