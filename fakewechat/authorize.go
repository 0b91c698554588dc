package fakewechat

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// pageErrors are the errors of the authorize page. WeChat shows them to the user; redirect_uri never learns of them.
var pageErrors = map[int]string{
	0:     "WeChat takes only appid, redirect_uri, response_type=code, scope, state in this order, then forcePopup, forceSnapShot or connect_redirect",
	10003: "the redirect_uri is no http or https address of the account's domain",
	10005: "the account has no permission for this scope",
	10010: "the scope is missing",
	10011: "the redirect_uri is missing",
	10012: "the appid is missing",
	10013: "the state is empty, longer than 128 or has other characters than a-z, A-Z, 0-9",
	40013: "the appid is no account's",
}

// authRequest is what an authorize page was asked for.
type authRequest struct {
	AppID, RedirectURI, Scope, State string
	hasState, snapshot               bool
}

// parseAuthorize reads a raw query as strictly as WeChat, which matches it against a pattern. The second result is a
// key of pageErrors, and the third false where there is one.
func (p *Platform) parseAuthorize(rawQuery string, scopes []string) (a authRequest, errcode int, ok bool) {
	var names, values []string
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return a, 0, false
		}
		names, values = append(names, name), append(values, value)
	}
	for _, need := range []struct {
		name    string
		errcode int
	}{{"appid", 10012}, {"redirect_uri", 10011}, {"scope", 10010}} {
		if i := slices.Index(names, need.name); i < 0 || values[i] == "" {
			return a, need.errcode, false
		}
	}
	order := []string{"appid", "redirect_uri", "response_type", "scope"}
	if len(names) < len(order) || !slices.Equal(names[:len(order)], order) || values[2] != "code" {
		return a, 0, false
	}
	a.AppID, a.RedirectURI, a.Scope = values[0], values[1], values[3]
	names, values = names[len(order):], values[len(order):]
	if len(names) > 0 && names[0] == "state" {
		a.State, a.hasState = values[0], true
		names, values = names[1:], values[1:]
	}
	for i, name := range names {
		if !slices.Contains([]string{"forcePopup", "forceSnapShot", "connect_redirect"}, name) || slices.Contains(names[:i], name) {
			return a, 0, false
		}
		a.snapshot = a.snapshot || name == "forceSnapShot" && values[i] == "true"
	}
	to, err := url.Parse(a.RedirectURI)
	switch {
	case a.AppID != p.of(a.AppID).account.AppID:
		return a, 40013, false
	case err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https":
		return a, 10003, false
	case !slices.Contains(scopes, a.Scope):
		return a, 10005, false
	case a.hasState && !validState(a.State):
		return a, 10013, false
	}
	return a, 0, true
}

func validState(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// authorize returns the handler of an authorize page: snsapi_base goes back at once, the other scopes ask the user.
func (p *Platform) authorize(scopes ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, errcode, ok := p.parseAuthorize(r.URL.RawQuery, scopes)
		if !ok {
			p.saw(seen{What: r.URL.Path, Outcome: fmt.Sprintf("refused: %d %s", errcode, pageErrors[errcode])})
			p.log.Info("fake WeChat authorize page", "path", r.URL.Path, "errcode", errcode)
			render(w, http.StatusBadRequest, "refused", struct {
				Code    int
				Message string
			}{errcode, pageErrors[errcode]})
			return
		}
		snapshot := a.snapshot && a.Scope == "snsapi_userinfo"
		allow := a.back(p.of(a.AppID).oauth.mint(a.Scope, snapshot, p.now()))
		p.saw(seen{What: r.URL.Path, Outcome: "a code for " + a.Scope})
		p.log.Info("fake WeChat authorize page", "path", r.URL.Path, "scope", a.Scope)
		if a.Scope == "snsapi_base" {
			http.Redirect(w, r, allow, http.StatusFound)
			return
		}
		render(w, http.StatusOK, "consent", struct {
			authRequest
			Allow, Refuse string
		}{a, allow, a.back("")})
	}
}

// back returns the redirect_uri with code and state, or with state alone where there is no code.
func (a *authRequest) back(code string) string {
	to, fragment, hasFragment := strings.Cut(a.RedirectURI, "#")
	add := func(name, value string) {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + name + "=" + value
	}
	if code != "" {
		add("code", code)
	}
	if a.hasState {
		add("state", a.State)
	}
	if hasFragment {
		to += "#" + fragment
	}
	return to
}
