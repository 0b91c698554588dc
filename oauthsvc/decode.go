package oauthsvc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	oauthv1 "wxgate/proto/oauth/v1"
)

// body is what WeChat answers to any of the calls (platform.md E.2).
type body struct {
	ErrCode *number `json:"errcode"` // nil where absent: success bodies have none, but for /sns/auth
	ErrMsg  string  `json:"errmsg"`

	AccessToken    string `json:"access_token"`
	ExpiresIn      number `json:"expires_in"`
	RefreshToken   string `json:"refresh_token"`
	OpenID         string `json:"openid"`
	Scope          string `json:"scope"`
	IsSnapshotUser number `json:"is_snapshotuser"`
	UnionID        string `json:"unionid"`

	Nickname   string   `json:"nickname"`
	Sex        number   `json:"sex"`
	Province   string   `json:"province"`
	City       string   `json:"city"`
	Country    string   `json:"country"`
	HeadImgURL string   `json:"headimgurl"`
	Privilege  []string `json:"privilege"`
	Language   string   `json:"language"`

	Ticket string   `json:"ticket"`
	IPList []string `json:"ip_list"`
	Quota  *struct {
		DailyLimit int64 `json:"daily_limit"`
		Used       int64 `json:"used"`
		Remain     int64 `json:"remain"`
	} `json:"quota"`
}

// number is an int32 that WeChat writes as 1, "1", true, "", null or not at all.
type number int32

// UnmarshalJSON implements json.Unmarshaler. Its error never holds the value.
func (n *number) UnmarshalJSON(data []byte) error {
	switch text := strings.Trim(string(data), `"`); text {
	case "", "null", "false":
		*n = 0
	case "true":
		*n = 1
	default:
		value, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return errNumber
		}
		*n = number(value)
	}
	return nil
}

var errNumber = errors.New("something else where a number is expected")

// decode reads an answer of WeChat's. Its error says what is wrong with the JSON and never holds any of it.
func decode(data []byte) (body, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// A nickname may hold control characters as they are, which JSON forbids. Outside of strings a space does no harm.
	data = bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, data)
	var b body
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal(data, &b); {
	case err == nil:
		return b, nil
	case errors.As(err, &syntax):
		return body{}, fmt.Errorf("not JSON, from byte %d of %d", syntax.Offset, len(data))
	case errors.As(err, &kind):
		return body{}, fmt.Errorf("JSON of another shape, at byte %d of %d", kind.Offset, len(data))
	default:
		return body{}, err
	}
}

// missing returns what a success of the call must have and this body lacks, or "".
func (b *body) missing(c call) string {
	switch {
	case (c == checkCall || c == sendCall || c == typingCall) && b.ErrCode == nil:
		return "errcode"
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
		AccessToken: b.AccessToken, ExpiresIn: int32(b.ExpiresIn), RefreshToken: b.RefreshToken, Openid: b.OpenID,
		Scope: strings.Trim(b.Scope, ","), IsSnapshotuser: int32(b.IsSnapshotUser), Unionid: b.UnionID,
	}
}

func (b *body) userInfo() *oauthv1.UserInfo {
	return &oauthv1.UserInfo{
		Openid: b.OpenID, Nickname: b.Nickname, Sex: int32(b.Sex), Province: b.Province, City: b.City, Country: b.Country,
		Headimgurl: b.HeadImgURL, Privilege: b.Privilege, Unionid: b.UnionID, Language: b.Language,
	}
}
