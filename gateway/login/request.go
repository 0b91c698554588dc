package login

import (
	"net/http"
	"net/url"
	"strings"
)

// readParameters reads query parameters. Each may be given once.
func readParameters(r *http.Request, names ...string) (map[string]string, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, failedPage(reasonQuery, "")
	}
	got := map[string]string{}
	for _, name := range names {
		if len(values[name]) > 1 {
			return nil, badRequestPage(reasonQuery, "The address holds "+name+" more than once.", "地址中 "+name+" 重复。")
		}
		got[name] = values.Get(name)
	}
	return got, nil
}

// redirectTo redirects the browser to an address without changing it: http.Redirect would clean its path and its fragment.
func redirectTo(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

// loginTarget is the account, the return address and the scope of a login.
type loginTarget struct {
	account, returnTo, scope string

	again bool // the second try: the browser came back from the first one without its cookie
}

// The scopes of a login (platform page "网页授权"; snsapi_login: a QR code in another browser than WeChat's).
const (
	scopeBase     = "snsapi_base"
	scopeUserinfo = "snsapi_userinfo"
	scopeQRCode   = "snsapi_login"
	defaultScope  = scopeUserinfo
)

// readTarget reads a login's target from parameters, with defaults for those that are missing.
func (s *loginServer) readTarget(q map[string]string) (loginTarget, error) {
	t := loginTarget{q["account"], escapeReturn(q["return_to"]), q["scope"], q["again"] == "true"}
	accounts := s.accounts()
	if t.account == "" {
		t.account = accounts.Main
	}
	if !accounts.hasAccount(t.account) {
		return t, failedPage(reasonAccount, "")
	}
	if t.returnTo == "" {
		t.returnTo = userinfoPath
	}
	if !s.mayReturnTo(t.returnTo) {
		return t, badReturnPage()
	}
	switch t.scope {
	case "":
		t.scope = defaultScope
	case scopeBase, scopeUserinfo, scopeQRCode:
	default:
		return t, failedPage(reasonScope, "")
	}
	return t, nil
}

// retryURL returns the address that starts the login again.
func (s *loginServer) retryURL(t loginTarget) string {
	t.again = false
	return loginPath + "?" + s.targetQuery(t)
}

// targetQuery returns the query from which readTarget reads t.
func (s *loginServer) targetQuery(t loginTarget) string {
	q := url.Values{"return_to": {t.returnTo}}
	if s.accountsChange || t.account != s.accounts().Main {
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

// baseURL returns the scheme and host that the request's browser uses.
func (s *loginServer) baseURL(r *http.Request) string {
	switch {
	case s.publicURL != "":
		return s.publicURL
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (s *loginServer) isSecure(r *http.Request) bool {
	return strings.HasPrefix(s.baseURL(r), "https://")
}
