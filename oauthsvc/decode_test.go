package oauthsvc

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	oauthv1 "wxgate/proto/oauth/v1"
)

func TestDecodeUserInfo(t *testing.T) {
	for name, tt := range map[string]struct {
		json string
		want *oauthv1.UserInfo
	}{
		"sex as a number":       {`{"openid":"o","sex":2}`, &oauthv1.UserInfo{Openid: "o", Sex: 2}},
		"sex as a string":       {`{"openid":"o","sex":"1"}`, &oauthv1.UserInfo{Openid: "o", Sex: 1}},
		"sex empty":             {`{"openid":"o","sex":""}`, &oauthv1.UserInfo{Openid: "o"}},
		"everything null":       {`{"openid":"o","sex":null,"privilege":null,"nickname":null,"unionid":null}`, &oauthv1.UserInfo{Openid: "o"}},
		"privileges":            {`{"openid":"o","privilege":["a","b"]}`, &oauthv1.UserInfo{Openid: "o", Privilege: []string{"a", "b"}}},
		"control characters":    {"{\"openid\":\"o\",\n\t\"nickname\":\"a\x00b\x01c\nd\x1f\"}\r\n", &oauthv1.UserInfo{Openid: "o", Nickname: "a b c d "}},
		"escaped ones":          {`{"openid":"o","nickname":"a\u0001\n\u0000"}`, &oauthv1.UserInfo{Openid: "o", Nickname: "a\x01\n\x00"}},
		"emoji":                 {`{"openid":"o","nickname":"😀\ud83d\ude00"}`, &oauthv1.UserInfo{Openid: "o", Nickname: "😀😀"}},
		"half an emoji":         {`{"openid":"o","nickname":"\ud83d"}`, &oauthv1.UserInfo{Openid: "o", Nickname: "\ufffd"}},
		"not UTF-8":             {"{\"openid\":\"o\",\"nickname\":\"a\xff\"}", &oauthv1.UserInfo{Openid: "o", Nickname: "a\ufffd"}},
		"byte order mark":       {"\ufeff{\"openid\":\"o\"}", &oauthv1.UserInfo{Openid: "o"}},
		"fields yet to come":    {`{"openid":"o","zodiac":{"sign":["x"]}}`, &oauthv1.UserInfo{Openid: "o"}},
		"errcode 0":             {`{"errcode":0,"errmsg":"ok","openid":"o"}`, &oauthv1.UserInfo{Openid: "o"}},
		"errcode 0 as a string": {`{"errcode":"0","openid":"o"}`, &oauthv1.UserInfo{Openid: "o"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, f := understand(userInfoCall, []byte(tt.json))
			if f != nil {
				t.Fatal(f.cause)
			}
			if diff := cmp.Diff(tt.want, b.userInfo(), protocmp.Transform()); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeToken(t *testing.T) {
	for name, tt := range map[string]struct {
		more string
		want *oauthv1.Token
	}{
		"expires_in as a number":      {`"expires_in":7200`, &oauthv1.Token{ExpiresIn: 7200}},
		"expires_in as a string":      {`"expires_in":"7200"`, &oauthv1.Token{ExpiresIn: 7200}},
		"no expires_in":               {`"x":1`, &oauthv1.Token{}},
		"snapshot 1":                  {`"is_snapshotuser":1`, &oauthv1.Token{IsSnapshotuser: 1}},
		"snapshot 0":                  {`"is_snapshotuser":0`, &oauthv1.Token{}},
		"snapshot true":               {`"is_snapshotuser":true`, &oauthv1.Token{IsSnapshotuser: 1}},
		"snapshot false":              {`"is_snapshotuser":false`, &oauthv1.Token{}},
		"scope with a comma too many": {`"scope":"snsapi_base,snsapi_userinfo,"`, &oauthv1.Token{Scope: "snsapi_base,snsapi_userinfo"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, f := understand(exchangeCall, []byte(`{"access_token":"a","openid":"o",`+tt.more+`}`))
			if f != nil {
				t.Fatal(f.cause)
			}
			tt.want.AccessToken, tt.want.Openid = "a", "o"
			if diff := cmp.Diff(tt.want, b.token(), protocmp.Transform()); diff != "" {
				t.Errorf("token (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeErrorsHoldNothing(t *testing.T) {
	for _, json := range []string{
		`{"access_token":"` + testToken, `{"access_token":` + testToken + `}`, testToken, `{"expires_in":"` + testToken + `"}`,
		`{"access_token":["` + testToken + `"]}`, `{"expires_in":{"a":"` + testToken + `"}}`, `{"errcode":57575757575757}`,
	} {
		_, err := decode([]byte(json))
		if err == nil {
			t.Errorf("%s: decoded; want an error", json)
			continue
		}
		if strings.Contains(err.Error(), testToken) || strings.Contains(err.Error(), "5757") {
			t.Errorf("%s: %v; want nothing of the answer in it", json, err)
		}
	}
}

// FuzzUnderstand: whatever WeChat says, there is a failure with a reason, or an answer that gRPC can carry.
func FuzzUnderstand(f *testing.F) {
	for _, name := range []string{"sns.access_token.snapshot.json", "sns.refresh_token.json", "sns.userinfo.json",
		"sns.userinfo.legacy.json", "sns.auth.ok.json", "error.40029.json", "error.40164.json"} {
		f.Add([]byte(sample(f, name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range allCalls {
			b, failed := understand(c, data)
			withMark, failedWithMark := understand(c, append([]byte("\ufeff"), data...))
			if !strings.HasPrefix(string(data), "\ufeff") && (!cmp.Equal(b, withMark) || (failed == nil) != (failedWithMark == nil)) {
				t.Errorf("%s: a byte order mark changes the answer", c)
			}
			switch {
			case failed != nil && (reasonName(failed.reason) == "" || failed.message == "" || !utf8.ValidString(failed.rid)):
				t.Errorf("%s: failure %+v; want a reason, a message and a rid in UTF-8", c, failed)
			case failed == nil && slices.Contains([]call{exchangeCall, refreshCall, userInfoCall}, c) && b.OpenID == "":
				t.Errorf("%s: an answer without openid", c)
			}
			for _, m := range []proto.Message{b.token(), b.userInfo()} {
				if _, err := proto.Marshal(m); err != nil {
					t.Errorf("%s: gRPC cannot carry the answer: %v", c, err)
				}
			}
		}
	})
}
