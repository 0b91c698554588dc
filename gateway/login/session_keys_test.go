package login

import (
	"testing"
	"testing/synctest"
	"time"

	"wxgate/internal/service"
)

const oldSessionKey = "an old key an old key an old key an old key"

// A change of the session key logs nobody out, and ends no login that began before it: the old key stays in the list.
func TestSessionKeysRotate(t *testing.T) {
	with := func(keys service.Secret) *fixture {
		f, _ := start(t, func(cfg *Config) { cfg.SessionKey = keys })
		return f
	}
	before, spread := with(oldSessionKey), with(oldSessionKey+","+testSessionKey)
	rotated, after := with(testSessionKey+", "+oldSessionKey), with(testSessionKey)
	for _, test := range []struct {
		name       string
		made, read *fixture
		good       bool
	}{
		{"the old key's, at a gateway that has both", before, rotated, true},
		{"the new key's, at a gateway that has both", after, rotated, true},
		{"the new key's, at a gateway that has both, the old one first", after, spread, true},
		{"made while both are given", rotated, after, true},
		{"made while both are given, the old one first", spread, before, true},
		{"made while both are given, where only the old one is known", rotated, before, false},
		{"made while both are given, the old one first, where only the new one is known", spread, after, false},
		{"the old key's, when it is out of the list", before, after, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			want, wantLogin := 401, 403
			if test.good {
				want, wantLogin = 200, 302
			}
			if got := test.read.visit(t, userinfoPath, test.made.session(t)); got.Status != want {
				t.Errorf("session: %d, want %d", got.Status, want)
			}
			b := test.made.login(t, "")
			if got := test.read.visit(t, b.back(testCode), b.cookie); got.Status != wantLogin {
				t.Errorf("state: %d, want %d", got.Status, wantLogin)
			}
		})
	}
}

// A session ends by itself, also where the browser keeps the cookie.
func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newSessionSealer([][]byte{[]byte(testSessionKey)})
		if err != nil {
			t.Fatal(err)
		}
		value, err := s.sealSession(&loginSession{Account: "plain", Scope: "snsapi_base", User: testProfile()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(sessionLife)
		if s.openSession(value) == nil {
			t.Error("the session ended too early")
		}
		time.Sleep(time.Second)
		if s.openSession(value) != nil {
			t.Errorf("the session is good after %s", sessionLife)
		}
	})
}
