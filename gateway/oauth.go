package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// oauth is web login in a browser: /oauth/login → WeChat → /oauth/callback → return_to, with a session cookie.
type oauth struct {
	client      oauthv1.OAuthServiceClient
	accounts    func() *roster // those of the moment
	live        bool           // the main account may become another one, so that addresses name theirs
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

// routeOAuth adds the login routes.
func routeOAuth(mux *http.ServeMux, cfg Config, accounts func() *roster, client oauthv1.OAuthServiceClient) error {
	keys, err := sessionKeys(cfg.SessionKey)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		keys = [][]byte{[]byte(rand.Text() + rand.Text())}
		cfg.Env.Log.Warn("no --session-key, and none kept in a data directory: logins end with this process, and other gateways do not know them")
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
		client:      client,
		accounts:    accounts,
		live:        cfg.AccountsFile != "",
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

// parameters reads query parameters that may each be given once.
func parameters(r *http.Request, names ...string) (map[string]string, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, failedPage("query", "")
	}
	got := map[string]string{}
	for _, name := range names {
		if len(values[name]) > 1 {
			return nil, badPage("query", "The address holds "+name+" more than once.", "地址中 "+name+" 重复。")
		}
		got[name] = values.Get(name)
	}
	return got, nil
}

// redirect sends the browser to an address as it is: http.Redirect would clean its path, and its fragment with it.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

// target is what a login is for.
type target struct {
	account, returnTo, scope string

	again bool // it began anew, since the browser came back without the cookie of the first
}

const defaultScope = "snsapi_userinfo"

// target returns what a request names, or the defaults.
func (o *oauth) target(q map[string]string) (target, error) {
	t := target{q["account"], escapeReturn(q["return_to"]), q["scope"], q["again"] == "true"}
	present := o.accounts()
	if t.account == "" {
		t.account = present.main.Name
	}
	if present.byName[t.account] == nil {
		return t, failedPage("account", "")
	}
	if t.returnTo == "" {
		t.returnTo = userinfoPath
	}
	if !o.mayReturnTo(t.returnTo) {
		return t, returnPage()
	}
	switch t.scope {
	case "":
		t.scope = defaultScope
	case "snsapi_base", "snsapi_userinfo", "snsapi_login":
	default:
		return t, failedPage("scope", "")
	}
	return t, nil
}

// retry returns the address at which the user begins the login again.
func (o *oauth) retry(t target) string {
	t.again = false
	return loginPath + "?" + o.query(t)
}

// query returns the parameters that target reads.
func (o *oauth) query(t target) string {
	q := url.Values{"return_to": {t.returnTo}}
	if o.live || t.account != o.accounts().main.Name {
		q.Set("account", t.account)
	}
	if t.scope != defaultScope {
		q.Set("scope", t.scope)
	}
	if t.again {
		q.Set("again", "true")
	}
	return q.Encode()
}

// base returns the scheme and host that browsers use.
func (o *oauth) base(r *http.Request) string {
	switch {
	case o.publicURL != "":
		return o.publicURL
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (o *oauth) secure(r *http.Request) bool { return strings.HasPrefix(o.base(r), "https://") }
