package login

import "net/http"

// logoutParameters returns where a logout leads; "" is a page of ours.
func (o *oauth) logoutParameters(r *http.Request) (returnTo string, err error) {
	q, err := parameters(r, "return_to")
	if err != nil {
		return "", err
	}
	returnTo = escapeReturn(q["return_to"])
	if returnTo != "" && !o.mayReturnTo(returnTo) {
		return "", returnPage()
	}
	return returnTo, nil
}

// askLogout asks the user who opened a link to log out: pages and previews that load it end no session.
func (o *oauth) askLogout(w http.ResponseWriter, r *http.Request) error {
	if _, err := o.logoutParameters(r); err != nil {
		return err
	}
	return writePage(w, http.StatusOK, page{Title: "要退出登录吗？ Log out?", Link: r.URL.RequestURI(), Action: "退出登录 · Log out", Post: true})
}

// logout ends the browser's sessions.
func (o *oauth) logout(w http.ResponseWriter, r *http.Request) error {
	returnTo, err := o.logoutParameters(r)
	if err != nil {
		return err
	}
	if err := o.sameSite.Check(r); err != nil {
		return failedPage("other_site", "")
	}
	o.endSessions(w, r)
	if returnTo == "" {
		return writePage(w, http.StatusOK, page{Title: "已退出登录。 Logged out.", Link: loginPath, Action: "登录 · Log in"})
	}
	w.Header().Set("Location", returnTo)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
