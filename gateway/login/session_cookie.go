package login

import (
	"net/http"
	"slices"
)

// maxSessions is how many accounts a browser is logged in to: its cookies have to fit into a request's headers. The oldest
// session ends for a new one.
const maxSessions = 8

// heldSession is a session, and the name of the cookie that holds it.
type heldSession struct {
	*session
	cookie string
}

// sessionsOf returns the sessions that a browser has, the youngest first. An account that was removed, or has another AppID
// now, has none.
func (o *oauth) sessionsOf(r *http.Request) []heldSession {
	var held []heldSession
	for _, c := range o.cookiesOf(r, sessionCookie) {
		who := o.sessions.open(c.Value)
		if who == nil {
			continue
		}
		if appID, known := o.accounts().AppIDs[who.Account]; !known || who.AppID != "" && who.AppID != appID {
			continue
		}
		held = append(held, heldSession{who, c.Name})
	}
	slices.SortStableFunc(held, func(a, b heldSession) int { return b.Began.Compare(a.Began) })
	return held
}

// sessionOf returns the browser's session of an account, or the youngest of all if name is ""; nil if there is none.
func (o *oauth) sessionOf(r *http.Request, name string) *session {
	for _, held := range o.sessionsOf(r) {
		if (name == "" || held.Account == name) && !o.hasWithdrawn(r.Context(), held.session) {
			return held.session
		}
	}
	return nil
}

// startSession gives the browser the cookie of a user who logged in. The sessions of other accounts stay.
func (o *oauth) startSession(w http.ResponseWriter, r *http.Request, who *session) error {
	present := o.accounts()
	who.AppID = present.AppIDs[who.Account]
	value, err := o.sessions.seal(who)
	if err != nil {
		return err
	}
	name := sessionCookie
	if who.Account != present.Main {
		name += "_" + who.Account
	}
	name = o.cookieName(r, name)
	others := slices.DeleteFunc(o.sessionsOf(r), func(h heldSession) bool { return h.cookie == name })
	for i, h := range others {
		if h.Account == who.Account || i >= maxSessions-1 {
			o.setCookie(w, r, h.cookie, "", "/", -1)
		}
	}
	o.setCookie(w, r, name, value, "/", sessionLife)
	return nil
}

// endSessions removes the browser's sessions, and the cookies of its logins: with one of them, the next to use the browser could
// go back to the address of a login that is a few minutes old.
func (o *oauth) endSessions(w http.ResponseWriter, r *http.Request) {
	o.setCookie(w, r, o.cookieName(r, sessionCookie), "", "/", -1)
	for _, c := range o.cookiesOf(r, sessionCookie+"_") {
		o.setCookie(w, r, c.Name, "", "/", -1)
	}
	for _, c := range o.cookiesOf(r, loginCookie+"_") {
		o.setCookie(w, r, c.Name, "", loginRoot, -1)
	}
}
