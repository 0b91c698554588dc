package login

import (
	"net/http"
	"net/url"
	"strings"
)

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
		t.account = present.Main
	}
	if !present.has(t.account) {
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
	if o.live || t.account != o.accounts().Main {
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
