// Package login logs users in with WeChat in a browser: /oauth/login → WeChat → /oauth/callback → return_to, with a session
// cookie. Identities come from oauthsvc.
package login

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Config is what the login needs.
type Config struct {
	Log            *slog.Logger
	OAuth          oauthv1.OAuthServiceClient
	Accounts       func() *Accounts // those of the moment
	AccountsChange bool             // another account may become the main one, so that addresses name theirs
	PublicURL      string           // scheme and host that browsers use; "": the request's Host
	ReturnHosts    []string         // hosts besides our own that a login may return to
	SessionKey     service.Secret   // see ParseSessionKeys; "": a new one
}

// Accounts are the accounts of one moment.
type Accounts struct {
	Main   string            // for requests that name none
	AppIDs map[string]string // by account; "" if it is not known
}

// has reports whether there is an account of that name.
func (a *Accounts) has(name string) bool {
	_, ok := a.AppIDs[name]
	return ok
}

// oauth serves the login.
type oauth struct {
	client      oauthv1.OAuthServiceClient
	accounts    func() *Accounts // those of the moment
	live        bool             // the main account may become another one, so that addresses name theirs
	publicURL   string
	returnHosts []string
	state       stateSigner
	sessions    sessions
	brake       codeBrake
	sameSite    *http.CrossOriginProtection // of what changes something
}

// The paths of the login.
const (
	loginPath    = "/oauth/login"
	callbackPath = "/oauth/callback"
	failedPath   = "/oauth/failed"
	userinfoPath = "/oauth/userinfo"
	logoutPath   = "/oauth/logout"
)

// oauthTimeout is how long a browser waits for oauthsvc.
const oauthTimeout = 10 * time.Second

// AddRoutes adds the login's routes.
func AddRoutes(mux *http.ServeMux, cfg Config) error {
	keys, err := ParseSessionKeys(cfg.SessionKey)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		keys = [][]byte{[]byte(rand.Text() + rand.Text())}
		cfg.Log.Warn("no --session-key, and none kept in a data directory: logins end with this process, and other gateways do not know them")
	}
	sessions, err := newSessions(keys)
	if err != nil {
		return err
	}
	sameSite := http.NewCrossOriginProtection()
	if cfg.PublicURL != "" { // a front may change the Host
		if err := sameSite.AddTrustedOrigin(strings.TrimRight(cfg.PublicURL, "/")); err != nil {
			return err
		}
	}
	o := &oauth{
		client:      cfg.OAuth,
		accounts:    cfg.Accounts,
		live:        cfg.AccountsChange,
		publicURL:   strings.TrimRight(cfg.PublicURL, "/"),
		returnHosts: cfg.ReturnHosts,
		state:       newStateSigner(keys),
		sessions:    sessions,
		sameSite:    sameSite,
	}
	mux.HandleFunc("GET "+loginPath, o.handle(o.login))
	mux.HandleFunc("GET "+callbackPath, o.handle(o.callback))
	mux.HandleFunc("GET "+failedPath, o.handle(o.failed))
	mux.HandleFunc("GET "+userinfoPath, o.handle(o.userinfo))
	mux.HandleFunc("GET "+logoutPath, o.handle(o.askLogout))
	mux.HandleFunc("POST "+logoutPath, o.handle(o.logout))
	return nil
}

// handle writes a handler's failure as a page in words.
func (o *oauth) handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodHead && r.URL.Path != userinfoPath {
			return // who looks at a link's head begins, ends and changes no login
		}
		ctx, cancel := context.WithTimeout(r.Context(), oauthTimeout)
		defer cancel()
		var page *pageError
		if err := h(w, r.WithContext(ctx)); errors.As(err, &page) {
			page.write(ctx, w)
		}
	}
}
