package wechatapi

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestErrcodes walks through platform.md E.4.
func TestErrcodes(t *testing.T) {
	t.Parallel()
	type row struct {
		of       []*Call
		code     codes.Code
		reason   string
		errcodes []int
	}
	later := map[string]string{"UPSTREAM_UNAVAILABLE": "1000", "RATE_LIMITED": "10000"} // retry_after_ms
	userCalls := []*Call{GetUserInfo, CheckUserToken}
	toUser := []*Call{SendMessage, SetTyping}
	tests := []row{
		{allCalls, codes.Unavailable, "UPSTREAM_UNAVAILABLE", []int{-1}},
		{snsCalls, codes.InvalidArgument, "CODE_INVALID", []int{40029}},
		{snsCalls, codes.InvalidArgument, "CODE_USED", []int{40163}},
		{snsCalls, codes.InvalidArgument, "CODE_EXPIRED", []int{42003}},
		{[]*Call{ExchangeCode, GetStableToken}, codes.FailedPrecondition, "CREDENTIALS_INVALID", []int{40001}},
		{allCalls, codes.FailedPrecondition, "CREDENTIALS_INVALID", []int{40013, 40125, 40243}},
		{userCalls, codes.Unauthenticated, "TOKEN_INVALID", []int{40001, 40014}},
		{userCalls, codes.Unauthenticated, "TOKEN_EXPIRED", []int{42001}},
		{accountCalls, codes.Unauthenticated, "TOKEN_INVALID", []int{40001, 40014, 42001}},
		{[]*Call{RefreshUserToken}, codes.Unauthenticated, "LOGIN_REQUIRED", []int{40001, 40014, 42001}},
		{snsCalls, codes.Unauthenticated, "LOGIN_REQUIRED", []int{40030, 42002, 42007, 50001}},
		{append(toUser, userCalls...), codes.InvalidArgument, "OPENID_INVALID", []int{40003}},
		{allCalls, codes.PermissionDenied, "NOT_AUTHORIZED", []int{48001, 48004}},
		{snsCalls, codes.PermissionDenied, "USER_RESTRICTED", []int{40226, 50002, 50005}},
		{toUser, codes.PermissionDenied, "USER_RESTRICTED", []int{43004, 43019, 48002}},
		{toUser, codes.FailedPrecondition, "WINDOW_CLOSED", []int{45015}},
		{toUser, codes.ResourceExhausted, "MESSAGE_LIMIT", []int{45047}},
		{[]*Call{SetTyping}, codes.FailedPrecondition, "WINDOW_CLOSED", []int{45080}},
		{[]*Call{SetTyping}, codes.AlreadyExists, "MESSAGE_LIMIT", []int{45081}},
		{[]*Call{SendMessage}, codes.InvalidArgument, "MESSAGE_INVALID", []int{40007, 40008, 40009, 40033, 40200, 41006, 45001, 45002, 45008}},
		{[]*Call{GetQuota}, codes.InvalidArgument, "INVALID_REQUEST", []int{76003, 76021, 76022}},
		{allCalls, codes.FailedPrecondition, "IP_NOT_ALLOWED", []int{40164, 61004, 89501, 89503, 89506, 89507}},
		{allCalls, codes.ResourceExhausted, "RATE_LIMITED", []int{45011}},
		{allCalls, codes.ResourceExhausted, "QUOTA_EXHAUSTED", []int{45009}},
		{snsCalls, codes.Internal, "INVALID_REQUEST", []int{40002, 41001, 41002, 41003, 41004, 41005, 41006, 41007, 41008, 41009, 43001, 43002, 43003}},
		{accountCalls, codes.Internal, "INVALID_REQUEST", []int{40002, 41001, 43001, 43002, 43003}},
		{allCalls, codes.Unknown, "UPSTREAM_ERROR", []int{-2, 1, 40000, 99999, 2147483647, -2147483648}},
	}
	var answer atomic.Value
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answer.Load().(string))
	}))
	t.Cleanup(api.Close)
	client := newClient(t, api.URL)
	covered := map[int64]bool{}
	for _, tt := range tests {
		for _, errcode := range tt.errcodes {
			covered[int64(errcode)] = true
			for _, c := range tt.of {
				t.Run(fmt.Sprintf("%d %s", errcode, strings.ReplaceAll(c.Path, "/", " ")), func(t *testing.T) {
					answer.Store(fmt.Sprintf(`{"errcode":%d,"errmsg":"in words, rid: 6a5c0f10-1b2c3d4e-5f607182"}`, errcode))
					f := client.Do(t.Context(), Request{Call: c, Payload: "x"}).Failure
					if f == nil {
						t.Fatal("the call succeeded")
					}
					want := refusal{tt.code, tt.reason, map[string]string{"errcode": strconv.Itoa(errcode), "rid": "6a5c0f10-1b2c3d4e-5f607182"}}
					if after := later[tt.reason]; after != "" {
						want.Meta["retry_after_ms"] = after
					}
					if diff := cmp.Diff(want, refusalOf(t, f.RPCError())); diff != "" {
						t.Errorf("error (-want +got):\n%s", diff)
					}
					if strings.Contains(f.RPCError().Error(), "in words") {
						t.Errorf("%v; want nothing of the errmsg", f)
					}
				})
			}
		}
	}
	tables := [][]errcodeMeaning{commonErrcodes, chatErrcodes, typingErrcodes, messageErrcodes, quotaErrcodes}
	for _, m := range slices.Concat(append(tables, slices.Collect(maps.Values(credentialErrcodes))...)...) {
		for _, errcode := range m.errcodes {
			if !covered[errcode] {
				t.Errorf("errcode %d has a meaning and no test", errcode)
			}
		}
	}
}

// refusal is the part of an error that a caller sees.
type refusal struct {
	Code   codes.Code
	Reason string
	Meta   map[string]string
}

func refusalOf(t *testing.T, err error) refusal {
	t.Helper()
	st := status.Convert(err)
	details := st.Details()
	if len(details) != 1 {
		t.Fatalf("details %v; want one ErrorInfo", details)
	}
	info := details[0].(*errdetails.ErrorInfo)
	return refusal{st.Code(), info.GetReason(), info.GetMetadata()}
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
		if rid, ip := requestID(tt.errmsg), refusedIP(tt.errmsg); rid != tt.rid || ip != tt.ip {
			t.Errorf("%q: rid %q, ip %q; want %q, %q", tt.errmsg, rid, ip, tt.rid, tt.ip)
		}
	}
}
