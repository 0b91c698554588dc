package login

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	oauthv1 "wxgate/proto/oauth/v1"
)

// readUser reads a user from the JSON of /oauth/userinfo, which has more.
var readUser = protojson.UnmarshalOptions{DiscardUnknown: true}

func TestUserinfo(t *testing.T) {
	f, _ := start(t, nil)
	session := f.session(t)
	got := f.visit(t, userinfoPath, session)
	user := &oauthv1.UserInfo{}
	if err := readUser.Unmarshal([]byte(got.Body), user); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testProfile(), user, protocmp.Transform()); diff != "" || got.Status != 200 {
		t.Errorf("%d, user (-want +got):\n%s", got.Status, diff)
	}
	if kind := got.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
		t.Errorf("Content-Type %q", kind)
	}
	otherKey, _ := start(t, func(cfg *Config) { cfg.SessionKey = "another key another key another key" })
	noKey, _ := start(t, func(cfg *Config) { cfg.SessionKey = "" })
	value := session.Value
	mid := len(value) / 2
	tampered := value[:mid] + string(value[mid]^1) + value[mid+1:]
	for name, test := range map[string]struct {
		f      *fixture
		cookie string
	}{
		"empty": {f, ""}, "junk": {f, "junk"}, "tampered": {f, tampered}, "cut": {f, value[:mid]},
		"the login's": {f, f.login(t, "").cookie.Value}, "of another key": {otherKey, value}, "of another process": {noKey, value},
	} {
		got := test.f.visit(t, userinfoPath, &http.Cookie{Name: sessionCookie, Value: test.cookie})
		if got.Status != 401 || got.Body != `{"error":"not logged in","login":"/oauth/login"}`+"\n" {
			t.Errorf("a cookie that is %s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := f.visit(t, userinfoPath); got.Status != 401 {
		t.Errorf("no cookie: %d, want 401", got.Status)
	}
	neighbour, _ := start(t, nil)
	if got := neighbour.visit(t, userinfoPath, session); got.Status != 200 {
		t.Errorf("another gateway with the same key: %d, want 200", got.Status)
	}
}
