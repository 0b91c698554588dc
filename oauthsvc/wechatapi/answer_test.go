package wechatapi

import (
	"os"
	"path/filepath"
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
		"nickname of digits":    {`{"openid":"o","nickname":12345678901234567890}`, &oauthv1.UserInfo{Openid: "o", Nickname: "12345678901234567890"}},
		"nickname of no kind":   {`{"openid":"o","nickname":{"a":1},"city":[],"country":false}`, &oauthv1.UserInfo{Openid: "o"}},
		"privilege empty text":  {`{"openid":"o","privilege":""}`, &oauthv1.UserInfo{Openid: "o"}},
		"privilege of numbers":  {`{"openid":"o","privilege":[1,"b",null,{}]}`, &oauthv1.UserInfo{Openid: "o", Privilege: []string{"1", "b", "", ""}}},
		"privilege an object":   {`{"openid":"o","privilege":{"a":"b"}}`, &oauthv1.UserInfo{Openid: "o"}},
		"sex as a fraction":     {`{"openid":"o","sex":1.0}`, &oauthv1.UserInfo{Openid: "o", Sex: 1}},
		"sex in words":          {`{"openid":"o","sex":"male"}`, &oauthv1.UserInfo{Openid: "o"}},
		"errmsg a number":       {`{"errcode":0,"errmsg":0,"openid":"o"}`, &oauthv1.UserInfo{Openid: "o"}},
		"errcode 0 as 0.0":      {`{"errcode":0.0,"openid":"o"}`, &oauthv1.UserInfo{Openid: "o"}},
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
			a, f := understandAnswer(GetUserInfo, []byte(tt.json))
			if f != nil {
				t.Fatal(f.Cause)
			}
			if diff := cmp.Diff(tt.want, a.UserInfo(), protocmp.Transform()); diff != "" {
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
		"expires_in with a fraction":  {`"expires_in":7200.0`, &oauthv1.Token{ExpiresIn: 7200}},
		"expires_in as 7.2e3":         {`"expires_in":"7.2e3"`, &oauthv1.Token{ExpiresIn: 7200}},
		"expires_in beyond all":       {`"expires_in":99999999999`, &oauthv1.Token{ExpiresIn: 2147483647}},
		"expires_in in words":         {`"expires_in":"soon"`, &oauthv1.Token{}},
		"unionid a number":            {`"unionid":5`, &oauthv1.Token{Unionid: "5"}},
		"scope a list":                {`"scope":["snsapi_base"]`, &oauthv1.Token{}},
		"no expires_in":               {`"x":1`, &oauthv1.Token{}},
		"snapshot 1":                  {`"is_snapshotuser":1`, &oauthv1.Token{IsSnapshotuser: 1}},
		"snapshot 0":                  {`"is_snapshotuser":0`, &oauthv1.Token{}},
		"snapshot true":               {`"is_snapshotuser":true`, &oauthv1.Token{IsSnapshotuser: 1}},
		"snapshot false":              {`"is_snapshotuser":false`, &oauthv1.Token{}},
		"scope with a comma too many": {`"scope":"snsapi_base,snsapi_userinfo,"`, &oauthv1.Token{Scope: "snsapi_base,snsapi_userinfo"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, f := understandAnswer(ExchangeCode, []byte(`{"access_token":"a","openid":"o",`+tt.more+`}`))
			if f != nil {
				t.Fatal(f.Cause)
			}
			tt.want.AccessToken, tt.want.Openid = "a", "o"
			if diff := cmp.Diff(tt.want, a.UserToken(), protocmp.Transform()); diff != "" {
				t.Errorf("token (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeErrorsHoldNothing(t *testing.T) {
	for _, json := range []string{
		`{"access_token":"` + testToken, `{"access_token":` + testToken + `}`, testToken, `"` + testToken + `"`, `["` + testToken + `"]`,
		`{"access_token":["` + testToken + `"]}`, `{"errcode":"` + testToken + `"}`, `{"errcode":{"a":"` + testToken + `"}}`,
		`{"errcode":0,"errmsg":"` + testToken + `"}`, `{"expires_in":"` + testToken + `"}`,
	} {
		_, f := understandAnswer(GetStableToken, []byte(json))
		if f == nil || f.Cause == nil {
			t.Errorf("%s: understood, or without a cause", json)
			continue
		}
		if strings.Contains(f.Cause.Error()+f.Message, testToken) {
			t.Errorf("%s: %v; want nothing of the answer in it", json, f.Cause)
		}
	}
}

// FuzzUnderstand: for any answer of WeChat there is a failure with a reason, or an answer that gRPC can carry.
func FuzzUnderstand(f *testing.F) {
	for _, name := range []string{"sns.access_token.snapshot.json", "sns.refresh_token.json", "sns.userinfo.json",
		"sns.userinfo.legacy.json", "sns.auth.ok.json", "error.40029.json", "error.40164.json"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "internal", "wechat", "testdata", "samples", "json", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range allCalls {
			a, failed := understandAnswer(c, data)
			withMark, failedWithMark := understandAnswer(c, append([]byte("\ufeff"), data...))
			if !strings.HasPrefix(string(data), "\ufeff") && (!cmp.Equal(a, withMark) || (failed == nil) != (failedWithMark == nil)) {
				t.Errorf("%s: a byte order mark changes the answer", c.Path)
			}
			switch {
			case failed != nil && (failed.Reason.Name() == "" || failed.Message == "" || !utf8.ValidString(failed.RID)):
				t.Errorf("%s: failure %+v; want a reason, a message and a rid in UTF-8", c.Path, failed)
			case failed == nil && slices.Contains([]*Call{ExchangeCode, RefreshUserToken, GetUserInfo}, c) && a.Text("openid") == "":
				t.Errorf("%s: an answer without openid", c.Path)
			}
			for _, m := range []proto.Message{a.UserToken(), a.UserInfo()} {
				if _, err := proto.Marshal(m); err != nil {
					t.Errorf("%s: gRPC cannot carry the answer: %v", c.Path, err)
				}
			}
		}
	})
}
