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

// sessionLife is how long a login lasts.
const sessionLife = 7 * 24 * time.Hour

// session is who is logged in, and how.
type session struct {
	Account string // whose user it is
	AppID   string // of the account; "" where the gateway does not know it
	Scope   string // what the user granted, as WeChat says it
	User    *oauthv1.UserInfo
	Began   time.Time
	Logins  []string // by which logins it came, the last one first: hashes of their states
}

// maxCameBy is how many logins a session remembers.
const maxCameBy = 6

// hashState stands for a state where it is kept.
func hashState(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:8])
}

// cameBy reports whether a login with this state brought the session, which may be nil.
func (s *session) cameBy(state string) bool {
	return s != nil && slices.Contains(s.Logins, hashState(state))
}

// follow makes a session, which a login with this state brought, the next one after another of its account; nil: there was
// none. A login that shows less of the same user does not take the profile away.
func (s *session) follow(before *session, state string) {
	s.Logins = []string{hashState(state)}
	if before == nil || before.User.GetOpenid() != s.User.GetOpenid() {
		return
	}
	if showsProfile(before.Scope) && !showsProfile(s.Scope) {
		s.Scope, s.User = before.Scope, before.User
	}
	s.Logins = append(s.Logins, before.Logins[:min(len(before.Logins), maxCameBy-1)]...)
}

// cookieForm is a session as its cookie holds it.
type cookieForm struct {
	Account string          `json:"account"`
	AppID   string          `json:"app_id"`
	Scope   string          `json:"scope"`
	User    json.RawMessage `json:"user"`  // oauth.v1.UserInfo
	Began   int64           `json:"began"` // microseconds since 1970
	Logins  []string        `json:"logins"`
}

// sessions seals who is logged in for a cookie: encrypted, signed, and with an end.
type sessions struct{ codecs []securecookie.Codec } // the first makes, all are accepted

// sessionCookie is the name of the main account's cookie; those of others have theirs behind it.
const sessionCookie = "wxgate_session"

func newSessions(keys [][]byte) (sessions, error) {
	var pairs [][]byte
	for _, key := range keys {
		pairs = append(pairs, derive(key, "session signature"), derive(key, "session encryption"))
	}
	s := sessions{securecookie.CodecsFromPairs(pairs...)}
	for _, codec := range s.codecs {
		one, ok := codec.(*securecookie.SecureCookie)
		if !ok {
			return s, fmt.Errorf("securecookie gives a %T; expected a *securecookie.SecureCookie", codec)
		}
		one.SetSerializer(securecookie.NopEncoder{})
		one.MaxAge(int(sessionLife.Seconds()))
		one.MaxLength(0) // seal looks at it
	}
	return s, nil
}

// maxCookie is how long a session may be as a cookie's value, in bytes: browsers keep 4096 with its name.
const maxCookie = 3900

// seal returns a cookie's value. What is too long for one is left out: first the rare, then the picture, then the nickname.
func (s sessions) seal(who *session) (string, error) {
	value, err := s.sealWhole(who)
	if err != nil || len(value) <= maxCookie {
		return value, err
	}
	small := *who
	small.User = proto.CloneOf(who.User)
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
	return "", fmt.Errorf("a session takes %d bytes; a cookie has room for %d", len(value), maxCookie)
}

func (s sessions) sealWhole(who *session) (string, error) {
	user, err := protojson.Marshal(who.User)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(cookieForm{who.Account, who.AppID, who.Scope, user, who.Began.UnixMicro(), who.Logins})
	if err != nil {
		return "", err
	}
	return securecookie.EncodeMulti(sessionCookie, data, s.codecs...)
}

// open returns the session of a cookie's value, or nil.
func (s sessions) open(value string) *session {
	var data []byte
	if err := securecookie.DecodeMulti(sessionCookie, value, &data, s.codecs...); err != nil {
		return nil
	}
	var form cookieForm
	if err := json.Unmarshal(data, &form); err != nil {
		return nil
	}
	who := &session{form.Account, form.AppID, form.Scope, &oauthv1.UserInfo{}, time.UnixMicro(form.Began), form.Logins}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(form.User, who.User); err != nil {
		return nil
	}
	return who
}
