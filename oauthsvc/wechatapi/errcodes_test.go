package oauthsvc

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	oauthv1 "wxgate/proto/oauth/v1"
)

// TestErrcodes walks through platform.md E.4.
func TestErrcodes(t *testing.T) {
	t.Parallel()
	type row struct {
		of       []call
		code     codes.Code
		reason   string
		errcodes []int
	}
	later := map[string]string{"UPSTREAM_UNAVAILABLE": "1000", "RATE_LIMITED": "10000"} // retry_after_ms
	userCalls := []call{userInfoCall, checkCall}
	toUser := []call{sendCall, typingCall}
	tests := []row{
		{allCalls, codes.Unavailable, "UPSTREAM_UNAVAILABLE", []int{-1}},
		{snsCalls, codes.InvalidArgument, "CODE_INVALID", []int{40029}},
		{snsCalls, codes.InvalidArgument, "CODE_USED", []int{40163}},
		{snsCalls, codes.InvalidArgument, "CODE_EXPIRED", []int{42003}},
		{[]call{exchangeCall, tokenCall}, codes.FailedPrecondition, "CREDENTIALS_INVALID", []int{40001}},
		{allCalls, codes.FailedPrecondition, "CREDENTIALS_INVALID", []int{40013, 40125, 40243}},
		{userCalls, codes.Unauthenticated, "TOKEN_INVALID", []int{40001, 40014}},
		{userCalls, codes.Unauthenticated, "TOKEN_EXPIRED", []int{42001}},
		{accountCalls, codes.Unauthenticated, "TOKEN_INVALID", []int{40001, 40014, 42001}},
		{[]call{refreshCall}, codes.Unauthenticated, "LOGIN_REQUIRED", []int{40001, 40014, 42001}},
		{snsCalls, codes.Unauthenticated, "LOGIN_REQUIRED", []int{40030, 42002, 42007, 50001}},
		{append(toUser, userCalls...), codes.InvalidArgument, "OPENID_INVALID", []int{40003}},
		{allCalls, codes.PermissionDenied, "NOT_AUTHORIZED", []int{48001, 48004}},
		{snsCalls, codes.PermissionDenied, "USER_RESTRICTED", []int{40226, 50002, 50005}},
		{toUser, codes.PermissionDenied, "USER_RESTRICTED", []int{43004, 43019, 48002}},
		{toUser, codes.FailedPrecondition, "WINDOW_CLOSED", []int{45015}},
		{toUser, codes.ResourceExhausted, "MESSAGE_LIMIT", []int{45047}},
		{[]call{typingCall}, codes.FailedPrecondition, "WINDOW_CLOSED", []int{45080}},
		{[]call{typingCall}, codes.AlreadyExists, "MESSAGE_LIMIT", []int{45081}},
		{[]call{sendCall}, codes.InvalidArgument, "MESSAGE_INVALID", []int{40007, 40008, 40009, 40033, 40200, 41006, 45001, 45002, 45008}},
		{[]call{quotaCall}, codes.InvalidArgument, "INVALID_REQUEST", []int{76003, 76021, 76022}},
		{allCalls, codes.FailedPrecondition, "IP_NOT_ALLOWED", []int{40164, 61004, 89501, 89503, 89506, 89507}},
		{allCalls, codes.ResourceExhausted, "RATE_LIMITED", []int{45011}},
		{allCalls, codes.ResourceExhausted, "QUOTA_EXHAUSTED", []int{45009}},
		{snsCalls, codes.Internal, "INVALID_REQUEST", []int{40002, 41001, 41002, 41003, 41004, 41005, 41006, 41007, 41008, 41009, 43001, 43002, 43003}},
		{accountCalls, codes.Internal, "INVALID_REQUEST", []int{40002, 41001, 43001, 43002, 43003}},
		{allCalls, codes.Unknown, "UPSTREAM_ERROR", []int{-2, 1, 40000, 99999, 2147483647, -2147483648}},
	}
	p := newPlatform()
	f := p.serve(t)
	covered := map[int64]bool{}
	for _, tt := range tests {
		for _, errcode := range tt.errcodes {
			covered[int64(errcode)] = true
			for _, c := range tt.of {
				t.Run(fmt.Sprintf("%d %s", errcode, strings.ReplaceAll(string(c), "/", " ")), func(t *testing.T) {
					p.says(c, refusedWith(errcode))
					var err error
					if c == exchangeCall { // each with a code of its own: refusals are kept
						_, err = f.ExchangeCode(t.Context(), &oauthv1.ExchangeCodeRequest{Code: strconv.Itoa(errcode)})
					} else {
						kept := credential{Value: testAccountToken, Expires: time.Now().Add(time.Hour)}
						if c == tokenCall {
							kept = credential{}
						} else { // a token that is refused is replaced, and the new one refused again
							p.says(tokenCall, accountToken("another"))
						}
						f.keepToken(t, kept)
						err = f.do(t.Context(), c)
					}
					want := refused{tt.code, tt.reason, map[string]string{"errcode": strconv.Itoa(errcode), "rid": "6a5c0f10-1b2c3d4e-5f607182"}}
					if after := later[tt.reason]; after != "" {
						want.Meta["retry_after_ms"] = after
					}
					if diff := cmp.Diff(want, seen(t, err)); diff != "" {
						t.Errorf("error (-want +got):\n%s", diff)
					}
					if strings.Contains(err.Error(), "in words") {
						t.Errorf("%v; want nothing of the errmsg", err)
					}
				})
			}
		}
	}
	for _, m := range meanings {
		for _, errcode := range m.errcodes {
			if !covered[errcode] {
				t.Errorf("errcode %d has a meaning and no test", errcode)
			}
		}
	}
}

func TestSampleErrors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]refused{
		"error.-1.json":         {codes.Unavailable, "UPSTREAM_UNAVAILABLE", map[string]string{"errcode": "-1", "rid": "6a5c0f10-1b2c3d4e-5f607182", "retry_after_ms": "1000"}},
		"error.40001.json":      {codes.Unauthenticated, "TOKEN_INVALID", map[string]string{"errcode": "40001", "rid": "6a5c0f10-1b2c3d4e-5f607182"}},
		"error.48001.json":      {codes.PermissionDenied, "NOT_AUTHORIZED", map[string]string{"errcode": "48001", "rid": "6a5c0f10-1b2c3d4e-5f607182"}},
		"sns.auth.invalid.json": {codes.InvalidArgument, "OPENID_INVALID", map[string]string{"errcode": "40003"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, says(sample(t, name)))
			if diff := cmp.Diff(want, seen(t, f.do(t.Context(), userInfoCall))); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIPNotAllowedNamesTheAddress(t *testing.T) {
	f := start(t, says(sample(t, "error.40164.json")))
	err := f.do(t.Context(), exchangeCall)
	if message := status.Convert(err).Message(); !strings.Contains(message, "203.0.113.9") {
		t.Errorf("message %q; want the address to add to the white list", message)
	}
}

func TestErrmsgParts(t *testing.T) {
	for _, tt := range []struct{ errmsg, rid, ip string }{
		{"", "", ""},
		{"ok", "", ""},
		{"invalid code, rid: 6a5c0f10-1b2c3d4e-5f607182", "6a5c0f10-1b2c3d4e-5f607182", ""},
		{"not in whitelist rid: 6a5c0f10-1b2c3d4e-5f607182", "6a5c0f10-1b2c3d4e-5f607182", ""},
		{"invalid code, hints: [ req_id: k2d.A_0121s82 ]", "k2d.A_0121s82", ""},
		{"rid: ", "", ""},
		{"a grid: 12", "", ""},
		{"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist", "", "203.0.113.9"},
		{"invalid ip 2001:db8::1, not in whitelist", "", "2001:db8::1"},
		{"invalid ip 999.1.1.1, not in whitelist", "", ""},
		{"invalid ip abc", "", ""},
	} {
		if rid, ip := ridOf(tt.errmsg), ipOf(tt.errmsg); rid != tt.rid || ip != tt.ip {
			t.Errorf("%q: rid %q, ip %q; want %q, %q", tt.errmsg, rid, ip, tt.rid, tt.ip)
		}
	}
}
