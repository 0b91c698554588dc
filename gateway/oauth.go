package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wxgate/internal/service"
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
}

// The paths of the login.
const (
	loginPath    = "/oauth/login"
	callbackPath = "/oauth/callback"
	userinfoPath = "/oauth/userinfo"
	logoutPath   = "/oauth/logout"
)

// loginCookie holds the state of the login that this browser began. Webviews lose cookies, so that a browser without
// it is let in; one that has another login's is not.
const loginCookie = "wxgate_login"

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
		cfg.Env.Log.Warn("no --session-key: logins end with this process, and other gateways do not know them")
	}
	sessions, err := newSessions(keys)
	if err != nil {
		return err
	}
	o := &oauth{
		client:      client,
		accounts:    accounts,
		live:        cfg.AccountsFile != "",
		publicURL:   strings.TrimRight(cfg.PublicURL, "/"),
		returnHosts: cfg.ReturnHosts,
		state:       newStateSigner(keys),
		sessions:    sessions,
	}
	mux.HandleFunc("GET "+loginPath, o.handle(o.login))
	mux.HandleFunc("GET "+callbackPath, o.handle(o.callback))
	mux.HandleFunc("GET "+userinfoPath, o.handle(o.userinfo))
	mux.HandleFunc("GET "+logoutPath, o.handle(o.logout))
	return nil
}

// handle writes a handler's failure as a page in words.
func (o *oauth) handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
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
		return nil, badPage("query", "The address is malformed.", "地址格式不正确。")
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

// login sends the browser to WeChat.
func (o *oauth) login(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "return_to", "scope", "account", "force_popup", "force_snapshot")
	if err != nil {
		return err
	}
	t, err := o.target(q)
	if err != nil {
		return err
	}
	popup, err := yes(q, "force_popup")
	if err != nil {
		return err
	}
	snapshot, err := yes(q, "force_snapshot")
	if err != nil {
		return err
	}
	state := o.state.make(t.account, t.returnTo, time.Now())
	resp, err := o.client.GetAuthorizeUrl(r.Context(), &oauthv1.GetAuthorizeUrlRequest{
		Account:       t.account,
		RedirectUri:   o.base(r) + callbackPath + "?" + o.query(t),
		Scope:         t.scope,
		State:         state,
		ForcePopup:    popup,
		ForceSnapshot: snapshot,
	})
	if err != nil {
		return oauthFailure(err, o.retry(t))
	}
	setCookie(w, loginCookie, state, "/oauth/", stateLife, o.secure(r))
	redirect(w, resp.GetUrl())
	return nil
}

// yes reads a parameter that is true or false; "" is false.
func yes(q map[string]string, name string) (bool, error) {
	switch q[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, badPage(name, name+" is not one of true and false.", name+" 只能是 true 或 false。")
}

// callback is where WeChat sends the browser back with a code.
func (o *oauth) callback(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "code", "state", "return_to", "account", "scope")
	if err != nil {
		return err
	}
	t, err := o.target(q)
	if err != nil {
		return err
	}
	retry := o.retry(t)
	// Some clients of WeChat append ?from=… to a page that is shared, also behind another query. Neither has a "?".
	code, _, _ := strings.Cut(q["code"], "?")
	state, _, _ := strings.Cut(q["state"], "?")
	if err := o.state.check(state, t.account, t.returnTo, time.Now()); err != nil {
		return forbiddenPage(err.Error(), retry)
	}
	if cookie, err := r.Cookie(loginCookie); err == nil && cookie.Value != state {
		return forbiddenPage("state_of_another_login", retry)
	}
	if code == "" {
		page := badPage("declined", "You did not agree to the login.", "你没有同意登录。")
		page.retry = retry
		return page
	}
	exchanged, err := o.client.ExchangeCode(r.Context(), &oauthv1.ExchangeCodeRequest{Account: t.account, Code: code, State: state})
	if err != nil {
		return oauthFailure(err, retry)
	}
	token := exchanged.GetToken()
	if token.GetIsSnapshotuser() != 0 {
		// The openid is made up by WeChat: neither an account nor a login may come from it.
		return &pageError{http.StatusBadRequest, "snapshot_user",
			"This page is a preview. Tap 使用完整服务 (use the full service) below, then log in.",
			"当前为快照页，请点击下方「使用完整服务」后再登录。", retry}
	}
	user, err := o.who(r.Context(), t.account, token)
	if err != nil {
		return oauthFailure(err, retry)
	}
	service.LineOf(r.Context()).Add(slog.String("user", service.Short(user.GetOpenid())))
	if err := o.sessions.start(w, session{t.account, token.GetScope(), user}, o.secure(r)); err != nil {
		return oauthFailure(err, retry)
	}
	redirect(w, t.returnTo)
	return nil
}

// who returns the user behind a token: the profile where the scope allows it, else the ids.
func (o *oauth) who(ctx context.Context, account string, token *oauthv1.Token) (*oauthv1.UserInfo, error) {
	if scope := token.GetScope(); !strings.Contains(scope, "snsapi_userinfo") && !strings.Contains(scope, "snsapi_login") {
		return &oauthv1.UserInfo{Openid: token.GetOpenid(), Unionid: token.GetUnionid()}, nil
	}
	resp, err := o.client.GetUserInfo(ctx, &oauthv1.GetUserInfoRequest{Account: account, AccessToken: token.GetAccessToken(), Openid: token.GetOpenid()})
	return resp.GetUser(), err
}

// redirect sends the browser to an address as it is: http.Redirect would clean its path, and its fragment with it.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

// target is what a login is for.
type target struct{ account, returnTo, scope string }

const defaultScope = "snsapi_userinfo"

// target returns what a request names, or the defaults.
func (o *oauth) target(q map[string]string) (target, error) {
	t := target{q["account"], q["return_to"], q["scope"]}
	now := o.accounts()
	if t.account == "" {
		t.account = now.main.Name
	}
	if now.byName[t.account] == nil {
		return t, badPage("account", "There is no such account.", "没有这个公众号。")
	}
	if t.returnTo == "" {
		t.returnTo = userinfoPath
	}
	if !allowedReturn(t.returnTo, o.returnHosts) {
		return t, returnPage()
	}
	switch t.scope {
	case "":
		t.scope = defaultScope
	case "snsapi_base", "snsapi_userinfo", "snsapi_login":
	default:
		return t, badPage("scope", "scope is not one of snsapi_base, snsapi_userinfo and snsapi_login.", "scope 只能是 snsapi_base、snsapi_userinfo 或 snsapi_login。")
	}
	return t, nil
}

// retry returns the address that begins the login again.
func (o *oauth) retry(t target) string { return loginPath + "?" + o.query(t) }

// query returns the parameters that target reads.
func (o *oauth) query(t target) string {
	q := url.Values{"return_to": {t.returnTo}}
	if o.live || t.account != o.accounts().main.Name {
		q.Set("account", t.account)
	}
	if t.scope != defaultScope {
		q.Set("scope", t.scope)
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
