// Package login logs users in with WeChat in a browser: /oauth/login → WeChat → /oauth/callback → return_to, with a session
// cookie. Identities come from oauthsvc.
package login

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// Accounts are the accounts that users can log in to. They do not change; a reload of the accounts file makes new ones.
type Accounts struct {
	Main   string            // the account of requests that name none
	AppIDs map[string]string // by account; "": not known
}

// hasAccount reports whether there is an account of that name.
func (a *Accounts) hasAccount(name string) bool {
	_, ok := a.AppIDs[name]
	return ok
}

// loginServer serves the login.
type loginServer struct {
	client         oauthv1.OAuthServiceClient
	accounts       func() *Accounts // see Config
	accountsChange bool             // see Config
	publicURL      string
	returnHosts    []string
	states         stateSigner
	sessions       sessionSealer
	brake          codeBrake
	crossOrigin    *http.CrossOriginProtection // of the logout
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
	keys, err := parseSessionKeys(cfg.SessionKey)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		keys = [][]byte{[]byte(rand.Text() + rand.Text())}
		cfg.Log.Warn("no session key is set: logins end with this process, and other gateways do not accept them; set --session-key or --data-dir")
	}
	sealer, err := newSessionSealer(keys)
	if err != nil {
		return err
	}
	crossOrigin := http.NewCrossOriginProtection()
	if cfg.PublicURL != "" { // a TLS front may change the Host
		if err := crossOrigin.AddTrustedOrigin(strings.TrimRight(cfg.PublicURL, "/")); err != nil {
			return err
		}
	}
	s := &loginServer{
		client:         cfg.OAuth,
		accounts:       cfg.Accounts,
		accountsChange: cfg.AccountsChange,
		publicURL:      strings.TrimRight(cfg.PublicURL, "/"),
		returnHosts:    cfg.ReturnHosts,
		states:         newStateSigner(keys),
		sessions:       sealer,
		crossOrigin:    crossOrigin,
	}
	mux.HandleFunc("GET "+loginPath, s.pageHandler(s.handleLogin))
	mux.HandleFunc("GET "+callbackPath, s.pageHandler(s.handleCallback))
	mux.HandleFunc("GET "+failedPath, s.pageHandler(s.handleFailed))
	mux.HandleFunc("GET "+userinfoPath, s.pageHandler(s.handleUserinfo))
	mux.HandleFunc("GET "+logoutPath, s.pageHandler(s.handleLogoutPage))
	mux.HandleFunc("POST "+logoutPath, s.pageHandler(s.handleLogout))
	return nil
}

// pageHandler returns a handler that shows h's error as a page.
func (s *loginServer) pageHandler(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodHead && r.URL.Path != userinfoPath {
			return // a HEAD request, as of a link preview, changes no login
		}
		ctx, cancel := context.WithTimeout(r.Context(), oauthTimeout)
		defer cancel()
		var failure *pageError
		if err := h(w, r.WithContext(ctx)); errors.As(err, &failure) {
			failure.writeTo(ctx, w)
		}
	}
}
