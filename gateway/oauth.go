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

	"google.golang.org/protobuf/encoding/protojson"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// oauth is web login in a browser: /oauth/login → WeChat → /oauth/callback → return_to, with a session cookie.
type oauth struct {
	client      oauthv1.OAuthServiceClient
	accounts    map[string]bool
	main        string // the account where none is named
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
func routeOAuth(mux *http.ServeMux, cfg Config, client oauthv1.OAuthServiceClient) {
	secret := []byte(cfg.SessionKey.Reveal())
	if len(secret) == 0 {
		secret = []byte(rand.Text() + rand.Text())
		cfg.Env.Log.Warn("no --session-key: logins end with this process, and other gateways do not know them")
	}
	o := &oauth{
		client:      client,
		accounts:    map[string]bool{},
		main:        cfg.Accounts[0].Name,
		publicURL:   strings.TrimRight(cfg.PublicURL, "/"),
		returnHosts: cfg.ReturnHosts,
		state:       stateSigner{derive(secret, "state")},
		sessions:    newSessions(secret),
	}
	for _, a := range cfg.Accounts {
		o.accounts[a.Name] = true
	}
	mux.HandleFunc("GET "+loginPath, o.handle(o.login))
	mux.HandleFunc("GET "+callbackPath, o.handle(o.callback))
	mux.HandleFunc("GET "+userinfoPath, o.handle(o.userinfo))
	mux.HandleFunc("GET "+logoutPath, o.handle(o.logout))
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
	q, err := parameters(r, "return_to", "scope", "account")
	if err != nil {
		return err
	}
	account, returnTo, err := o.target(q)
	if err != nil {
		return err
	}
	scope := q["scope"]
	switch scope {
	case "":
		scope = "snsapi_userinfo"
	case "snsapi_base", "snsapi_userinfo":
	default:
		return badPage("scope", "scope is not one of snsapi_base and snsapi_userinfo.", "scope 只能是 snsapi_base 或 snsapi_userinfo。")
	}
	state := o.state.make(account, returnTo, time.Now())
	back := url.Values{"return_to": {returnTo}}
	if account != o.main {
		back.Set("account", account)
	}
	resp, err := o.client.GetAuthorizeUrl(r.Context(), &oauthv1.GetAuthorizeUrlRequest{
		Account:     account,
		RedirectUri: o.base(r) + callbackPath + "?" + back.Encode(),
		Scope:       scope,
		State:       state,
	})
	if err != nil {
		return oauthFailure(err, o.retry(account, returnTo))
	}
	setCookie(w, loginCookie, state, "/oauth/", stateLife, o.secure(r))
	redirect(w, resp.GetUrl())
	return nil
}

// callback is where WeChat sends the browser back with a code.
func (o *oauth) callback(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "code", "state", "return_to", "account")
	if err != nil {
		return err
	}
	account, returnTo, err := o.target(q)
	if err != nil {
		return err
	}
	retry := o.retry(account, returnTo)
	if err := o.state.check(q["state"], account, returnTo, time.Now()); err != nil {
		return forbiddenPage(err.Error(), retry)
	}
	if cookie, err := r.Cookie(loginCookie); err == nil && cookie.Value != q["state"] {
		return forbiddenPage("state_of_another_login", retry)
	}
	if q["code"] == "" {
		page := badPage("declined", "You did not agree to the login.", "你没有同意登录。")
		page.retry = retry
		return page
	}
	exchanged, err := o.client.ExchangeCode(r.Context(), &oauthv1.ExchangeCodeRequest{Account: account, Code: q["code"], State: q["state"]})
	if err != nil {
		return oauthFailure(err, retry)
	}
	if exchanged.GetToken().GetIsSnapshotuser() != 0 {
		// The openid is made up by WeChat: neither an account nor a login may come from it.
		return &pageError{http.StatusBadRequest, "snapshot_user",
			"This page is a preview. Tap 使用完整服务 (use the full service) below, then log in.",
			"当前为快照页，请点击下方「使用完整服务」后再登录。", retry}
	}
	user, err := o.who(r.Context(), account, exchanged.GetToken())
	if err != nil {
		return oauthFailure(err, retry)
	}
	service.LineOf(r.Context()).Add(slog.String("user", service.Short(user.GetOpenid())))
	if err := o.sessions.start(w, user, o.secure(r)); err != nil {
		return oauthFailure(err, retry)
	}
	redirect(w, returnTo)
	return nil
}

// who returns the user behind a token: the profile where the scope allows it, else the ids.
func (o *oauth) who(ctx context.Context, account string, token *oauthv1.Token) (*oauthv1.UserInfo, error) {
	if !strings.Contains(token.GetScope(), "snsapi_userinfo") {
		return &oauthv1.UserInfo{Openid: token.GetOpenid(), Unionid: token.GetUnionid()}, nil
	}
	resp, err := o.client.GetUserInfo(ctx, &oauthv1.GetUserInfoRequest{Account: account, AccessToken: token.GetAccessToken(), Openid: token.GetOpenid()})
	return resp.GetUser(), err
}

// userinfo shows a user to themselves.
func (o *oauth) userinfo(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	user := o.sessions.user(r)
	if user == nil {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"not logged in","login":"` + loginPath + `"}` + "\n"))
		return nil
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(user)
	if err != nil {
		return err
	}
	_, _ = w.Write(append(data, '\n'))
	return nil
}

// logout ends the session.
func (o *oauth) logout(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "return_to")
	if err != nil {
		return err
	}
	if q["return_to"] == "" {
		o.sessions.end(w, o.secure(r))
		return writePage(w, http.StatusOK, page{Title: "Logged out · 已退出登录", Retry: loginPath})
	}
	if !allowedReturn(q["return_to"], o.returnHosts) {
		return returnPage()
	}
	o.sessions.end(w, o.secure(r))
	redirect(w, q["return_to"])
	return nil
}

// redirect sends the browser to an address as it is: http.Redirect would clean its path, and its fragment with it.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

// target returns the account and the return address that a request names, or their defaults.
func (o *oauth) target(q map[string]string) (account, returnTo string, err error) {
	account, returnTo = q["account"], q["return_to"]
	if account == "" {
		account = o.main
	}
	if !o.accounts[account] {
		return "", "", badPage("account", "There is no such account.", "没有这个公众号。")
	}
	if returnTo == "" {
		returnTo = userinfoPath
	}
	if !allowedReturn(returnTo, o.returnHosts) {
		return "", "", returnPage()
	}
	return account, returnTo, nil
}

// retry returns the address that begins the login again.
func (o *oauth) retry(account, returnTo string) string {
	q := url.Values{"return_to": {returnTo}}
	if account != o.main {
		q.Set("account", account)
	}
	return loginPath + "?" + q.Encode()
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
