package login

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gorilla/securecookie"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	oauthv1 "wxgate/proto/oauth/v1"
)

// sessionLife is the life of a session.
const sessionLife = 7 * 24 * time.Hour

// loginSession is a logged-in user.
type loginSession struct {
	Account string // the account that the user logged in to
	AppID   string // of the account; "": not known
	Scope   string // that the user granted, in WeChat's form
	User    *oauthv1.UserInfo
	Began   time.Time
	Logins  []string // hashes of the states of the logins that led to it, the last one first
}

// maxSessionLogins is the number of logins that a session remembers.
const maxSessionLogins = 6

// hashState returns a short hash of a state, which a session keeps in its place.
func hashState(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:8])
}

// isFromLogin reports whether the login with this state led to the session, which may be nil.
func (s *loginSession) isFromLogin(state string) bool {
	return s != nil && slices.Contains(s.Logins, hashState(state))
}

// continueFrom makes s, the session of the login with this state, continue the account's session before; nil: there was none. If the
// new login of the same user has a smaller scope, the profile stays.
func (s *loginSession) continueFrom(before *loginSession, state string) {
	s.Logins = []string{hashState(state)}
	if before == nil || before.User.GetOpenid() != s.User.GetOpenid() {
		return
	}
	if showsProfile(before.Scope) && !showsProfile(s.Scope) {
		s.Scope, s.User = before.Scope, before.User
	}
	s.Logins = append(s.Logins, before.Logins[:min(len(before.Logins), maxSessionLogins-1)]...)
}

// sessionJSON is the form of a session in its cookie.
type sessionJSON struct {
	Account string          `json:"account"`
	AppID   string          `json:"app_id"`
	Scope   string          `json:"scope"`
	User    json.RawMessage `json:"user"`  // oauth.v1.UserInfo
	Began   int64           `json:"began"` // microseconds since 1970
	Logins  []string        `json:"logins"`
}

// sessionSealer turns sessions into values of cookies and back: encrypted, signed, and with an expiry.
type sessionSealer struct{ codecs []securecookie.Codec } // the first one seals, all open

// sessionCookie is the name of the main account's cookie; those of other accounts have "_" and the account's name after it.
const sessionCookie = "wxgate_session"

func newSessionSealer(keys [][]byte) (sessionSealer, error) {
	var pairs [][]byte
	for _, key := range keys {
		pairs = append(pairs, deriveKey(key, "session signature"), deriveKey(key, "session encryption"))
	}
	s := sessionSealer{securecookie.CodecsFromPairs(pairs...)}
	for _, codec := range s.codecs {
		one, ok := codec.(*securecookie.SecureCookie)
		if !ok {
			return s, fmt.Errorf("securecookie returned a %T; expected a *securecookie.SecureCookie", codec)
		}
		one.SetSerializer(securecookie.NopEncoder{})
		one.MaxAge(int(sessionLife.Seconds()))
		one.MaxLength(0) // sealSession checks the length
	}
	return s, nil
}

// maxCookie is the longest value of a session's cookie, in bytes: browsers keep 4096 for name and value.
const maxCookie = 3900

// sealSession returns the value of a session's cookie. If it is too long, fields of the user are left out: first the rarely used
// ones, then the picture, then the nickname.
func (s sessionSealer) sealSession(session *loginSession) (string, error) {
	value, err := s.sealWhole(session)
	if err != nil || len(value) <= maxCookie {
		return value, err
	}
	small := *session
	small.User = proto.CloneOf(session.User)
	for _, leaveOut := range []func(*oauthv1.UserInfo){
		func(u *oauthv1.UserInfo) { u.Privilege, u.Province, u.City, u.Country = nil, "", "", "" },
		func(u *oauthv1.UserInfo) { u.Headimgurl = "" },
		func(u *oauthv1.UserInfo) { u.Nickname = "" },
	} {
		leaveOut(small.User)
		if value, err = s.sealWhole(&small); err != nil || len(value) <= maxCookie {
			return value, err
		}
	}
	return "", fmt.Errorf("the session has %d bytes; a cookie holds at most %d", len(value), maxCookie)
}

func (s sessionSealer) sealWhole(session *loginSession) (string, error) {
	user, err := protojson.Marshal(session.User)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(sessionJSON{session.Account, session.AppID, session.Scope, user, session.Began.UnixMicro(), session.Logins})
	if err != nil {
		return "", err
	}
	return securecookie.EncodeMulti(sessionCookie, data, s.codecs...)
}

// openSession returns the session in a cookie's value; nil if it is not valid.
func (s sessionSealer) openSession(value string) *loginSession {
	var data []byte
	if err := securecookie.DecodeMulti(sessionCookie, value, &data, s.codecs...); err != nil {
		return nil
	}
	var form sessionJSON
	if err := json.Unmarshal(data, &form); err != nil {
		return nil
	}
	session := &loginSession{form.Account, form.AppID, form.Scope, &oauthv1.UserInfo{}, time.UnixMicro(form.Began), form.Logins}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(form.User, session.User); err != nil {
		return nil
	}
	return session
}
