package gateway

import (
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"google.golang.org/protobuf/encoding/protojson"

	oauthv1 "wxgate/proto/oauth/v1"
)

// sessionLife is how long a login lasts.
const sessionLife = 7 * 24 * time.Hour

const sessionCookie = "wxgate_session"

// sessions keeps who is logged in, in a cookie that is encrypted, signed and expires.
type sessions struct{ codec *securecookie.SecureCookie }

func newSessions(secret []byte) sessions {
	codec := securecookie.New(derive(secret, "session signature"), derive(secret, "session encryption"))
	codec.SetSerializer(securecookie.NopEncoder{})
	codec.MaxAge(int(sessionLife.Seconds()))
	return sessions{codec}
}

// start sets the cookie of a user who logged in.
func (s sessions) start(w http.ResponseWriter, user *oauthv1.UserInfo, secure bool) error {
	data, err := protojson.Marshal(user)
	if err != nil {
		return err
	}
	value, err := s.codec.Encode(sessionCookie, data)
	if err != nil {
		return err
	}
	setCookie(w, sessionCookie, value, "/", sessionLife, secure)
	return nil
}

// user returns who is logged in, or nil.
func (s sessions) user(r *http.Request) *oauthv1.UserInfo {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	var data []byte
	if err := s.codec.Decode(sessionCookie, cookie.Value, &data); err != nil {
		return nil
	}
	user := &oauthv1.UserInfo{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, user); err != nil {
		return nil
	}
	return user
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
