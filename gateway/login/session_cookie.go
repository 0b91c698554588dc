package login

import (
	"net/http"
	"slices"
)

// maxSessions is the number of sessions that a browser keeps, one for each account: their cookies must fit into a request's headers.
// A new session ends the oldest.
const maxSessions = 8

// heldSession is a session of a browser, with the name of its cookie.
type heldSession struct {
	*loginSession
	cookie string
}

// sessionsOf returns the browser's sessions, the youngest first. Sessions of an account that was removed, or whose AppID changed, are
// not valid any more.
func (s *loginServer) sessionsOf(r *http.Request) []heldSession {
	var held []heldSession
	for _, c := range s.cookiesOf(r, sessionCookie) {
		session := s.sessions.openSession(c.Value)
		if session == nil {
			continue
		}
		if appID, known := s.accounts().AppIDs[session.Account]; !known || session.AppID != "" && session.AppID != appID {
			continue
		}
		held = append(held, heldSession{session, c.Name})
	}
	slices.SortStableFunc(held, func(a, b heldSession) int { return b.Began.Compare(a.Began) })
	return held
}

// sessionOf returns the browser's session of the account with that name, or its youngest session if name is ""; nil: none.
func (s *loginServer) sessionOf(r *http.Request, name string) *loginSession {
	for _, held := range s.sessionsOf(r) {
		if (name == "" || held.Account == name) && !s.hasWithdrawn(r.Context(), held.loginSession) {
			return held.loginSession
		}
	}
	return nil
}

// startSession sets the cookie of a new session. The sessions of other accounts stay.
func (s *loginServer) startSession(w http.ResponseWriter, r *http.Request, session *loginSession) error {
	accounts := s.accounts()
	session.AppID = accounts.AppIDs[session.Account]
	value, err := s.sessions.sealSession(session)
	if err != nil {
		return err
	}
	name := sessionCookie
	if session.Account != accounts.Main {
		name += "_" + session.Account
	}
	name = s.cookieName(r, name)
	others := slices.DeleteFunc(s.sessionsOf(r), func(h heldSession) bool { return h.cookie == name })
	for i, h := range others {
		if h.Account == session.Account || i >= maxSessions-1 {
			s.setCookie(w, r, h.cookie, "", "/", -1)
		}
	}
	s.setCookie(w, r, name, value, "/", sessionLife)
	return nil
}

// endSessions removes the cookies of the browser's sessions and logins. With the cookie of a login, the next person at this browser
// could repeat it from the history, for some minutes.
func (s *loginServer) endSessions(w http.ResponseWriter, r *http.Request) {
	s.setCookie(w, r, s.cookieName(r, sessionCookie), "", "/", -1)
	for _, c := range s.cookiesOf(r, sessionCookie+"_") {
		s.setCookie(w, r, c.Name, "", "/", -1)
	}
	for _, c := range s.cookiesOf(r, loginCookie+"_") {
		s.setCookie(w, r, c.Name, "", loginRoot, -1)
	}
}
