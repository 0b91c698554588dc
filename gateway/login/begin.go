package login

import (
	"net/http"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// maxRedirectURI is the longest redirect_uri that oauthsvc accepts, in bytes. It holds return_to, whose escaping makes it longer.
const maxRedirectURI = 2048

// handleLogin starts a login: it redirects the browser to WeChat.
func (s *loginServer) handleLogin(w http.ResponseWriter, r *http.Request) error {
	q, err := readParameters(r, "return_to", "scope", "account", "again", "force_popup", "force_snapshot")
	if err != nil {
		return err
	}
	t, err := s.readTarget(q)
	if err != nil {
		return err
	}
	popup, err := boolParameter(q, "force_popup")
	if err != nil {
		return err
	}
	snapshot, err := boolParameter(q, "force_snapshot")
	if err != nil {
		return err
	}
	redirectURI := s.baseURL(r) + callbackPath + "?" + s.targetQuery(t)
	if s.publicURL == "" && r.Host == "" {
		return failedPage(reasonHost, "")
	}
	if len(redirectURI)+len("&again=true") > maxRedirectURI {
		return badReturnPage()
	}
	state := s.states.makeState(t.account, t.returnTo, time.Now())
	resp, err := s.client.GetAuthorizeUrl(r.Context(), &oauthv1.GetAuthorizeUrlRequest{
		Account:       t.account,
		RedirectUri:   redirectURI,
		Scope:         t.scope,
		State:         state,
		ForcePopup:    popup,
		ForceSnapshot: snapshot,
	})
	if err != nil {
		return failedCallPage(err, s.retryURL(t))
	}
	s.setLoginCookie(w, r, state)
	redirectTo(w, resp.GetUrl())
	return nil
}

// boolParameter reads a parameter that is "true" or "false"; "" is false.
func boolParameter(q map[string]string, name string) (bool, error) {
	switch q[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, badRequestPage(failureReason(name), name+" is not one of true and false.", name+" 只能是 true 或 false。")
}
