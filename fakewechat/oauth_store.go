package fakewechat

import (
	"crypto/rand"
	"sync"
	"time"
)

// The lifetimes of WeChat's web OAuth ("网页授权").
const (
	codeLife    = 5 * time.Minute
	tokenLife   = 7200 * time.Second
	refreshLife = 30 * 24 * time.Hour
)

// maxKept is how many codes, and how many tokens of each kind, are remembered; the oldest are forgotten first.
const maxKept = 1000

// loginCode is the code that the browser brings back from the authorize page.
type loginCode struct {
	scope    string
	openid   string
	snapshot bool // made on a snapshot page: the user is a virtual one
	minted   time.Time
	used     bool
}

// userGrant is a user's permission: one refresh token, and access tokens one after the other.
type userGrant struct {
	openid, unionid string
	scope           string
	snapshot        bool
	issued          time.Time
	refreshToken    string
	access          *accessToken // the latest
}

// accessToken is a web access_token. A refresh before its end extends it.
type accessToken struct {
	value   string
	grant   *userGrant
	expires time.Time
}

// oauthStore remembers codes and tokens. Its maps are guarded by mu.
type oauthStore struct {
	mu sync.Mutex
	oauthState
}

// oauthState is the part of the state that Reset clears.
type oauthState struct {
	codes   boundedMap[*loginCode]
	access  boundedMap[*accessToken]
	refresh boundedMap[*userGrant]
}

func newOAuthStore() *oauthStore { return &oauthStore{oauthState: newOAuthState()} }

func newOAuthState() oauthState {
	return oauthState{
		codes:   newBoundedMap[*loginCode](maxKept),
		access:  newBoundedMap[*accessToken](maxKept),
		refresh: newBoundedMap[*userGrant](maxKept),
	}
}

// newCode makes a code for a scope and a user.
func (s *oauthStore) newCode(scope, openid string, snapshot bool, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	value := rand.Text()
	s.codes.put(value, &loginCode{scope: scope, openid: openid, snapshot: snapshot, minted: now})
	return value
}

// grantFor makes the tokens for a code. The caller holds mu.
func (s *oauthStore) grantFor(c *loginCode, now time.Time) *userGrant {
	g := &userGrant{openid: c.openid, scope: c.scope, snapshot: c.snapshot, issued: now, refreshToken: newToken()}
	if c.snapshot {
		g.openid = "oFakeVirtual00000000000000" + rand.Text()[:2]
	}
	if c.scope != scopeBase {
		g.unionid = "u" + g.openid[1:]
	}
	s.refresh.put(g.refreshToken, g)
	s.renewAccess(g, now)
	return g
}

// renewAccess extends the grant's access token, or makes a new one if it has ended. The caller holds mu.
func (s *oauthStore) renewAccess(g *userGrant, now time.Time) {
	if g.access == nil || !now.Before(g.access.expires) {
		g.access = &accessToken{value: newToken(), grant: g}
		s.access.put(g.access.value, g.access)
	}
	g.access.expires = now.Add(tokenLife)
}

// newToken returns a token in WeChat's form: a number, "_", and a random text.
func newToken() string { return "57_" + rand.Text() + rand.Text() }

// boundedMap is a map that forgets its oldest entry for each entry above its maximum.
type boundedMap[V any] struct {
	values map[string]V
	keys   []string // a ring
	next   int
}

func newBoundedMap[V any](most int) boundedMap[V] {
	return boundedMap[V]{values: map[string]V{}, keys: make([]string, most)}
}

func (c *boundedMap[V]) put(key string, v V) {
	delete(c.values, c.keys[c.next])
	c.keys[c.next] = key
	c.next = (c.next + 1) % len(c.keys)
	c.values[key] = v
}

// get returns the zero V for an unknown key.
func (c *boundedMap[V]) get(key string) V { return c.values[key] }
