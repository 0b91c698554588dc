package login

import (
	"net/http"
	"time"

	oauthv1 "wxgate/proto/oauth/v1"
)

// maxRedirectURI is the longest redirect_uri that oauthsvc takes, in bytes. return_to grows in it by what is escaped.
const maxRedirectURI = 2048

// login sends the browser to WeChat.
func (o *oauth) login(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "return_to", "scope", "account", "again", "force_popup", "force_snapshot")
	if err != nil {
		return err
	}
	t, err := o.target(q)
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
	redirectURI := o.base(r) + callbackPath + "?" + o.query(t)
	if o.publicURL == "" && r.Host == "" {
		return failedPage("host", "")
	}
	if len(redirectURI)+len("&again=true") > maxRedirectURI {
		return returnPage()
	}
	state := o.state.make(t.account, t.returnTo, time.Now())
	resp, err := o.client.GetAuthorizeUrl(r.Context(), &oauthv1.GetAuthorizeUrlRequest{
		Account:       t.account,
		RedirectUri:   redirectURI,
		Scope:         t.scope,
		State:         state,
		ForcePopup:    popup,
		ForceSnapshot: snapshot,
	})
	if err != nil {
		return oauthFailure(err, o.retry(t))
	}
	o.keepLogin(w, r, state)
	redirect(w, resp.GetUrl())
	return nil
}

// boolParameter reads a parameter that is true or false; "" is false.
func boolParameter(q map[string]string, name string) (bool, error) {
	switch q[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, badPage(name, name+" is not one of true and false.", name+" 只能是 true 或 false。")
}
