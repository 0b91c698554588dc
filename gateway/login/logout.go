package login

import "net/http"

// logoutParameters returns the return address of a logout; "": the page that says so.
func (s *loginServer) logoutParameters(r *http.Request) (returnTo string, err error) {
	q, err := readParameters(r, "return_to")
	if err != nil {
		return "", err
	}
	returnTo = escapeReturn(q["return_to"])
	if returnTo != "" && !s.mayReturnTo(returnTo) {
		return "", badReturnPage()
	}
	return returnTo, nil
}

// handleLogoutPage asks the user to confirm the logout: a page or preview that merely loads the link must not end a session.
func (s *loginServer) handleLogoutPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.logoutParameters(r); err != nil {
		return err
	}
	return writePage(w, http.StatusOK, pageContent{Title: "要退出登录吗？ Log out?", Link: r.URL.RequestURI(), Action: "退出登录 · Log out", Post: true})
}

// handleLogout ends the sessions of the browser.
func (s *loginServer) handleLogout(w http.ResponseWriter, r *http.Request) error {
	returnTo, err := s.logoutParameters(r)
	if err != nil {
		return err
	}
	if err := s.crossOrigin.Check(r); err != nil {
		return failedPage(reasonOtherSite, "")
	}
	s.endSessions(w, r)
	if returnTo == "" {
		return writePage(w, http.StatusOK, pageContent{Title: "已退出登录。 Logged out.", Link: loginPath, Action: "登录 · Log in"})
	}
	w.Header().Set("Location", returnTo)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
