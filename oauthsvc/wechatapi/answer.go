package wechatapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	oauthv1 "wxgate/proto/oauth/v1"
)

// Answer is the JSON object that WeChat answers. WeChat writes some fields as numbers or as strings, and empty lists as "".
// Its methods take both, and treat a field of another kind as missing: a strange field that a call does not need fails
// nothing.
type Answer map[string]json.RawMessage

// Text returns a text, or a number as it is written; "" if the field is missing or of another kind.
func (a Answer) Text(name string) string {
	data := a[name]
	if len(data) == 0 {
		return ""
	}
	switch c := data[0]; {
	case c == '"':
		var s string
		_ = json.Unmarshal(data, &s) // it was read as a part of the object
		return s
	case c == '-', c >= '0' && c <= '9':
		return string(data)
	}
	return ""
}

// Number returns a whole number; 0 if the field is missing or is not a number.
func (a Answer) Number(name string) int64 {
	value, _ := parseNumber(a[name])
	return value
}

// Texts returns a list of texts; nil if the field is missing or not a list, such as the "" that stands for an empty one.
func (a Answer) Texts(name string) []string {
	var items []json.RawMessage
	if json.Unmarshal(a[name], &items) != nil || items == nil {
		return nil
	}
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = Answer{"": item}.Text("")
	}
	return list
}

// Object returns an object within the answer; nil if the field is missing or not an object.
func (a Answer) Object(name string) Answer {
	var object Answer
	if json.Unmarshal(a[name], &object) != nil {
		return nil
	}
	return object
}

// UserToken returns the token in an answer to ExchangeCode or RefreshUserToken.
func (a Answer) UserToken() *oauthv1.Token {
	return &oauthv1.Token{
		AccessToken: a.Text("access_token"), ExpiresIn: clampInt32(a.Number("expires_in")), RefreshToken: a.Text("refresh_token"),
		Openid: a.Text("openid"), Scope: strings.Trim(a.Text("scope"), ","), IsSnapshotuser: clampInt32(a.Number("is_snapshotuser")),
		Unionid: a.Text("unionid"),
	}
}

// UserInfo returns the profile in an answer to GetUserInfo.
func (a Answer) UserInfo() *oauthv1.UserInfo {
	return &oauthv1.UserInfo{
		Openid: a.Text("openid"), Nickname: a.Text("nickname"), Sex: clampInt32(a.Number("sex")), Province: a.Text("province"),
		City: a.Text("city"), Country: a.Text("country"), Headimgurl: a.Text("headimgurl"), Privilege: a.Texts("privilege"),
		Unionid: a.Text("unionid"), Language: a.Text("language"),
	}
}

// clampInt32 returns the number, or the nearest that an int32 can hold.
func clampInt32(n int64) int32 { return int32(max(math.MinInt32, min(math.MaxInt32, n))) }

// parseErrcode returns WeChat's errcode. given is false if there is none; the error says that it is not a number.
func (a Answer) parseErrcode() (errcode int64, given bool, err error) {
	data := a["errcode"]
	if len(data) == 0 || string(data) == "null" {
		return 0, false, nil
	}
	errcode, ok := parseNumber(data)
	if !ok {
		return 0, true, answerError("an errcode that is not a number")
	}
	return errcode, true, nil
}

// parseNumber reads a whole number that WeChat writes as 1, 1.0, "1", true, "", null or not at all; ok is false for anything
// else.
func parseNumber(data []byte) (value int64, ok bool) {
	switch written := strings.Trim(string(data), `"`); written {
	case "", "null", "false":
		return 0, true
	case "true":
		return 1, true
	default:
		if value, err := strconv.ParseInt(written, 10, 64); err == nil {
			return value, true
		}
		const exact = 1 << 53 // a larger float64 stands for several whole numbers
		if f, err := strconv.ParseFloat(written, 64); err == nil && f > -exact && f < exact {
			return int64(f), true
		}
	}
	return 0, false
}

// decodeAnswer reads an answer. Its error describes the fault in the JSON, and never holds any of it.
func decodeAnswer(data []byte) (Answer, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// A nickname may hold unescaped control characters, which JSON forbids. Outside of strings a space does no harm.
	data = bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, data)
	var a Answer
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(data, &a); {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("not JSON, from byte %d of %d", syntax.Offset, len(data))
	case err != nil || a == nil:
		return nil, errors.New("JSON, but not an object")
	}
	return a, nil
}

// understandAnswer returns the answer of a call, or why the call failed.
func understandAnswer(call *Call, data []byte) (Answer, *Failure) {
	a, err := decodeAnswer(data)
	if err != nil {
		return nil, unavailable(err)
	}
	switch errcode, given, err := a.parseErrcode(); {
	case err != nil:
		return nil, UnexpectedAnswer(err)
	case errcode != 0:
		return nil, refused(call, errcode, a.Text("errmsg"))
	case !given && len(call.required) == 0:
		return nil, UnexpectedAnswer(answerError("an answer without errcode"))
	}
	for _, field := range call.required {
		if !field.isPresent(a, field.name) {
			return nil, UnexpectedAnswer(answerError("an answer without " + field.name))
		}
	}
	return a, nil
}
