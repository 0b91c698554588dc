package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"google.golang.org/protobuf/encoding/protojson"

	oauthv1 "wxgate/proto/oauth/v1"
)

// sessionLife is how long a login lasts.
const sessionLife = 7 * 24 * time.Hour

const sessionCookie = "wxgate_session"

// session is who is logged in, and how.
type session struct {
	Account string // whose user it is
	Scope   string // what the user granted, as WeChat says it
	User    *oauthv1.UserInfo
}

// cookieForm is a session as its cookie holds it.
type cookieForm struct {
	Account string          `json:"account"`
	Scope   string          `json:"scope"`
	User    json.RawMessage `json:"user"` // oauth.v1.UserInfo
}

// sessions keeps who is logged in, in a cookie that is encrypted, signed and expires.
type sessions struct{ codecs []securecookie.Codec } // the first makes, all are accepted

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
	}
	return s, nil
}

// start sets the cookie of a user who logged in.
func (s sessions) start(w http.ResponseWriter, who session, secure bool) error {
	user, err := protojson.Marshal(who.User)
	if err != nil {
		return err
	}
	data, err := json.Marshal(cookieForm{who.Account, who.Scope, user})
	if err != nil {
		return err
	}
	value, err := securecookie.EncodeMulti(sessionCookie, data, s.codecs...)
	if err != nil {
		return err
	}
	setCookie(w, sessionCookie, value, "/", sessionLife, secure)
	return nil
}

// of returns who is logged in, or nil.
func (s sessions) of(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	var data []byte
	if err := securecookie.DecodeMulti(sessionCookie, cookie.Value, &data, s.codecs...); err != nil {
		return nil
	}
	var form cookieForm
	if err := json.Unmarshal(data, &form); err != nil {
		return nil
	}
	who := &session{form.Account, form.Scope, &oauthv1.UserInfo{}}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(form.User, who.User); err != nil {
		return nil
	}
	return who
}

// end removes the cookie.
func (s sessions) end(w http.ResponseWriter, secure bool) {
	setCookie(w, sessionCookie, "", "/", -1, secure)
}

// setCookie sets a cookie that scripts and other sites do not get; a life below 0 removes it.
func setCookie(w http.ResponseWriter, name, value, path string, life time.Duration, secure bool) {
	age := int(life.Seconds())
	if life < 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: age,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	})
}
