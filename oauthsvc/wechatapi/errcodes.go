package wechatapi

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	oauthv1 "wxgate/proto/oauth/v1"
)

// errcodeMeaning is the meaning of some errcodes. The tables are from platform.md E.4.
type errcodeMeaning struct {
	errcodes []int64
	code     codes.Code
	reason   oauthv1.ErrorReason
	message  string // advice for the caller
}

// commonErrcodes are for all calls.
var commonErrcodes = []errcodeMeaning{
	{[]int64{-1}, codes.Unavailable, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE,
		"WeChat's servers are busy; try again in a moment"},

	{[]int64{40029}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_CODE_INVALID,
		"WeChat does not know the code, or it is another account's; send the user to log in again"},
	{[]int64{40163}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_CODE_USED,
		"the code was used already; send the user to log in again"},
	{[]int64{42003}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_CODE_EXPIRED,
		"the code is older than five minutes; send the user to log in again"},

	{[]int64{40001, 40014}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID,
		"WeChat does not know the access token, or a newer one replaced it; refresh it, or send the user to log in again"},
	{[]int64{42001}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED,
		"the access token expired; refresh it"},
	{[]int64{40030, 42002}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		"the refresh token is no longer valid; send the user to log in again"},
	{[]int64{42007}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		"the user changed the password, which ended all tokens; send the user to log in again"},
	{[]int64{50001}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
		"the user did not authorize the account, or withdrew; send the user to log in again"},
	{[]int64{40003}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_OPENID_INVALID,
		"openid: another account's, or not the token's; pass the one that came with the token"},

	{[]int64{48001}, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED,
		"the token's scope is too small, or the account lacks the API; log in with scope snsapi_userinfo, or see the API rights in the account's console"},
	{[]int64{48004}, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_NOT_AUTHORIZED,
		"WeChat banned the API for the account; see the notices in the account's console"},
	{[]int64{50002, 40226}, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED,
		"WeChat restricts the user; only WeChat's customer service can help the user"},
	{[]int64{50005}, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED,
		"the user does not follow the account; ask the user to follow it first"},

	{[]int64{40013}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID,
		"WeChat refuses the AppID; compare --app-id (WECHAT_APP_ID), or the accounts file, with the account's console"},
	{[]int64{40125}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID, appSecretRefused},
	{[]int64{40243}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID,
		"the AppSecret is frozen; unfreeze it in the account's console"},
	{[]int64{40164, 61004}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED,
		"this server's address is not on the account's IP white list; add it in the account's console"},
	{[]int64{89501, 89503, 89506, 89507}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED,
		"the account's administrator has not allowed calls from this server's address, or refused them; ask the administrator to confirm in WeChat"},

	{[]int64{45011}, codes.ResourceExhausted, oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
		"too many calls in a short time; wait a minute"},
	{[]int64{45009}, codes.ResourceExhausted, oauthv1.ErrorReason_ERROR_REASON_QUOTA_EXHAUSTED,
		"the day's calls are used up; wait until tomorrow, or clear the quota in the account's console"},

	// All parameters are checked before they are sent, so this is a defect here or a change at WeChat's.
	{[]int64{40002, 41001, 41002, 41003, 41004, 41005, 41006, 41007, 41008, 41009, 43001, 43002, 43003},
		codes.Internal, oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
		"WeChat reports a missing parameter in the request that this service made; report it with errcode and rid"},
}

const appSecretRefused = "WeChat refuses the AppSecret; compare --app-secret (WECHAT_APP_SECRET), or the accounts file, with the account's console"

// credentialErrcodes are about credentials other than a user's token, which commonErrcodes has.
var credentialErrcodes = map[credentialKind][]errcodeMeaning{
	appSecret: {
		{[]int64{40001}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID, appSecretRefused},
	},
	refreshToken: {
		{[]int64{40001, 40014, 42001}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_LOGIN_REQUIRED,
			"the refresh token is no longer valid; send the user to log in again"},
	},
	accountToken: {
		{[]int64{40001, 40014, 42001}, codes.Unauthenticated, oauthv1.ErrorReason_ERROR_REASON_TOKEN_INVALID,
			"WeChat refuses the account's access token; see whether another program replaces it"},
	},
}

// chatErrcodes are for calls that reach a user.
var chatErrcodes = []errcodeMeaning{
	{[]int64{45015}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED,
		"the user did nothing in the last 48 hours, or unsubscribed; wait until the user writes again"},
	{[]int64{45047}, codes.ResourceExhausted, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT,
		"the user has had as many messages as WeChat allows since they last did something; wait until the user writes again"},
	{[]int64{43004, 43019, 48002}, codes.PermissionDenied, oauthv1.ErrorReason_ERROR_REASON_USER_RESTRICTED,
		"the user does not follow the account, is on its black list, or refuses its messages"},
}

var typingErrcodes = []errcodeMeaning{
	{[]int64{45080}, codes.FailedPrecondition, oauthv1.ErrorReason_ERROR_REASON_WINDOW_CLOSED,
		"the user did nothing in the last 30 seconds; the typing state is for a running conversation"},
	{[]int64{45081}, codes.AlreadyExists, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_LIMIT,
		"the typing state is on already; there is nothing to do"},
}

var messageErrcodes = []errcodeMeaning{
	{[]int64{40033, 45002, 45008, 40200}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID,
		"message: too long, with forbidden characters, or of a kind that the account may not send"},
	{[]int64{40007, 40008, 40009, 41006, 45001}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_MESSAGE_INVALID,
		"message: WeChat does not know the media_id, or does not take it; upload the media again"},
}

var quotaErrcodes = []errcodeMeaning{
	{[]int64{76003, 76021, 76022}, codes.InvalidArgument, oauthv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
		"cgi_path: WeChat knows no such path, or keeps no quota for it; expected one such as /cgi-bin/message/custom/send"},
}

// retryAfter is when a call may be made again that WeChat refuses for a reason that passes. WeChat counts calls by the minute
// (errcode 45011), and names no time.
var retryAfter = map[oauthv1.ErrorReason]time.Duration{
	oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE: time.Second,
	oauthv1.ErrorReason_ERROR_REASON_RATE_LIMITED:         10 * time.Second,
}

// RetryAfter returns when to try again after a failure of this reason; 0: at once, or never.
func RetryAfter(reason oauthv1.ErrorReason) time.Duration { return retryAfter[reason] }

// refused returns the failure of a call that WeChat answered with an errcode other than 0.
func refused(call *Call, errcode int64, errmsg string) *Failure {
	f := &Failure{Code: codes.Unknown, Reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_ERROR,
		Message: "WeChat refused with an errcode that this version does not know; look it up on WeChat's developer site",
		Errcode: strconv.FormatInt(errcode, 10), RID: requestID(errmsg)}
	if m := findMeaning(call, errcode); m != nil {
		f.Code, f.Reason, f.Message, f.RetryAfter = m.code, m.reason, m.message, RetryAfter(m.reason)
	}
	if ip := refusedIP(errmsg); ip != "" && f.Reason == oauthv1.ErrorReason_ERROR_REASON_IP_NOT_ALLOWED {
		f.Message += " (WeChat saw " + ip + ")"
	}
	return f
}

// findMeaning returns the meaning of an errcode for a call, or nil if it is not known.
func findMeaning(call *Call, errcode int64) *errcodeMeaning {
	for _, table := range slices.Concat(call.errcodes, [][]errcodeMeaning{credentialErrcodes[call.credential], commonErrcodes}) {
		if i := slices.IndexFunc(table, func(m errcodeMeaning) bool { return slices.Contains(m.errcodes, errcode) }); i >= 0 {
			return &table[i]
		}
	}
	return nil
}

// requestIDPattern finds WeChat's id of a request in an errmsg: "rid: 6a5c…", and of old "hints: [ req_id: k2d… ]".
var requestIDPattern = regexp.MustCompile(`\b(?:rid|req_id): ?([0-9A-Za-z._-]{1,64})`)

func requestID(errmsg string) string {
	if found := requestIDPattern.FindStringSubmatch(errmsg); found != nil {
		return found[1]
	}
	return ""
}

var ipPattern = regexp.MustCompile(`\binvalid ip ([0-9A-Fa-f.:]{2,45})`)

// refusedIP returns the address that an errmsg complains about, or "".
func refusedIP(errmsg string) string {
	if found := ipPattern.FindStringSubmatch(errmsg); found != nil {
		if ip, err := netip.ParseAddr(found[1]); err == nil {
			return ip.String()
		}
	}
	return ""
}
