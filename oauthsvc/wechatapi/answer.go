package oauthsvc

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

// body is what WeChat answers to any of the calls (platform.md E.2).
type body struct {
	AccessToken    string `json:"access_token"`
	ExpiresIn      int64  `json:"expires_in"`
	RefreshToken   string `json:"refresh_token"`
	OpenID         string `json:"openid"`
	Scope          string `json:"scope"`
	IsSnapshotUser int64  `json:"is_snapshotuser"`
	UnionID        string `json:"unionid"`

	Nickname   string   `json:"nickname"`
	Sex        int64    `json:"sex"`
	Province   string   `json:"province"`
	City       string   `json:"city"`
	Country    string   `json:"country"`
	HeadImgURL string   `json:"headimgurl"`
	Privilege  []string `json:"privilege"`
	Language   string   `json:"language"`

	Ticket string   `json:"ticket"`
	IPList []string `json:"ip_list"`
	Quota  *quota   `json:"quota"`
}

// quota is how often a call may be made.
type quota struct {
	DailyLimit, Used, Remain int64
}

// answer is a JSON object of WeChat's. It reads what WeChat may mean: numbers come as texts and the reverse, and a field of
// another kind counts as missing. So an odd field that a call does not need fails nothing.
type answer map[string]json.RawMessage

// body returns the object's fields that some call needs.
func (a answer) body() body {
	return body{
		AccessToken: a.text("access_token"), ExpiresIn: a.number("expires_in"), RefreshToken: a.text("refresh_token"),
		OpenID: a.text("openid"), Scope: a.text("scope"), IsSnapshotUser: a.number("is_snapshotuser"), UnionID: a.text("unionid"),
		Nickname: a.text("nickname"), Sex: a.number("sex"), Province: a.text("province"), City: a.text("city"), Country: a.text("country"),
		HeadImgURL: a.text("headimgurl"), Privilege: a.texts("privilege"), Language: a.text("language"),
		Ticket: a.text("ticket"), IPList: a.texts("ip_list"), Quota: a.quota(),
	}
}

func (a answer) quota() *quota {
	var inner answer
	if json.Unmarshal(a["quota"], &inner) != nil || inner == nil {
		return nil
	}
	return &quota{inner.number("daily_limit"), inner.number("used"), inner.number("remain")}
}

// errcode returns WeChat's errcode. given is false if there is none; the error says that it is not a number.
func (a answer) errcode() (code int64, given bool, err error) {
	raw := a["errcode"]
	if len(raw) == 0 || string(raw) == "null" {
		return 0, false, nil
	}
	code, ok := parseNumber(raw)
	if !ok {
		return 0, true, answerError("an errcode that is not a number")
	}
	return code, true, nil
}

// number returns a whole number; 0 if the field is missing or is not a number.
func (a answer) number(name string) int64 {
	value, _ := parseNumber(a[name])
	return value
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
		const exact = 1 << 53 // beyond it, a float64 is not one number
		if f, err := strconv.ParseFloat(written, 64); err == nil && f > -exact && f < exact {
			return int64(f), true
		}
	}
	return 0, false
}

// text returns a text, or a number as it is written; "" if the field is missing or of another kind.
func (a answer) text(name string) string {
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

// texts returns a list of texts; nil if the field is missing or not a list, such as the "" that stands for an empty one.
func (a answer) texts(name string) []string {
	var items []json.RawMessage
	if json.Unmarshal(a[name], &items) != nil || items == nil {
		return nil
	}
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = answer{"": item}.text("")
	}
	return list
}

// decode reads an answer of WeChat's. Its error says what is wrong with the JSON and never holds any of it.
func decode(data []byte) (answer, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// A nickname may hold control characters as they are, which JSON forbids. Outside of strings a space does no harm.
	data = bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, data)
	var a answer
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(data, &a); {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("not JSON, from byte %d of %d", syntax.Offset, len(data))
	case err != nil || a == nil:
		return nil, errors.New("JSON, but not an object")
	}
	return a, nil
}

// confirmed reports whether a success of the call has the errcode 0.
func (c call) confirmed() bool { return c == checkCall || c == sendCall || c == typingCall }

// missing returns what a success of the call must have and this body lacks, or "".
func (b *body) missing(c call) string {
	switch {
	case (c == exchangeCall || c == refreshCall || c == tokenCall) && b.AccessToken == "":
		return "access_token"
	case (c == exchangeCall || c == refreshCall || c == userInfoCall) && b.OpenID == "":
		return "openid"
	case c == ticketCall && b.Ticket == "":
		return "ticket"
	case c == callbackIPCall && b.IPList == nil:
		return "ip_list"
	case c == quotaCall && b.Quota == nil:
		return "quota"
	}
	return ""
}

func (b *body) token() *oauthv1.Token {
	return &oauthv1.Token{
		AccessToken: b.AccessToken, ExpiresIn: asInt32(b.ExpiresIn), RefreshToken: b.RefreshToken, Openid: b.OpenID,
		Scope: strings.Trim(b.Scope, ","), IsSnapshotuser: asInt32(b.IsSnapshotUser), Unionid: b.UnionID,
	}
}

func (b *body) userInfo() *oauthv1.UserInfo {
	return &oauthv1.UserInfo{
		Openid: b.OpenID, Nickname: b.Nickname, Sex: asInt32(b.Sex), Province: b.Province, City: b.City, Country: b.Country,
		Headimgurl: b.HeadImgURL, Privilege: b.Privilege, Unionid: b.UnionID, Language: b.Language,
	}
}

// asInt32 returns the number, or the nearest that an int32 can hold.
func asInt32(n int64) int32 { return int32(max(math.MinInt32, min(math.MaxInt32, n))) }
