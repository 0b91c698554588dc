package fakewechat

import (
	"net/http"
	"strings"

	"wxgate/fakewechat/sender"
)

// notSimulated is the errcode of a call that the Platform does not simulate: WeChat's own for a path that it does not know.
const notSimulated = 40066

// serveNotSimulated answers an API call that nothing here simulates, and shows it: a bot's author shall not look for the
// fault in the bot. The query, which has the access_token, is shown nowhere.
func (p *Platform) serveNotSimulated(w http.ResponseWriter, r *http.Request) {
	if !looksLikeAPI(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	const most = 120 // bytes of a path
	call := r.Method + " " + sender.Clip(strings.ToValidUTF8(r.URL.Path, "�"), most)
	outcome := sender.Because("not simulated")
	p.saw(seen{What: sameInBoth(call), Outcome: inBoth("not simulated")})
	p.chat.called(chatCall{At: p.now(), Path: call, Outcome: outcome.Error(), InZH: outcome.Chinese(), Account: p.accountOfToken(r)})
	p.log.Warn("fake WeChat API call: not simulated", "method", r.Method, "path", sender.Clip(r.URL.Path, most))
	w.Header().Set("Content-Type", accountStyle.contentType)
	msg := errmsgs[notSimulated] + ": the fake WeChat does not simulate this call" + accountStyle.rid + p.rid()
	_, _ = w.Write(asJSON(errorAnswer{notSimulated, msg}))
}

// looksLikeAPI reports whether a path may be that of one of WeChat's API calls, which have two parts or more, and is not a
// page of ours or what browsers ask for by themselves.
func looksLikeAPI(path string) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return rest != "" && first != "fake" && first != "connect" && first != ".well-known"
}

// accountOfToken returns the AppID of the account whose access_token a call has; "" if it is nobody's.
func (p *Platform) accountOfToken(r *http.Request) string {
	q := r.URL.Query()
	o := p.called(q, "")
	if token := q.Get("access_token"); token == "" || !o.api.issued(token) && !o.oauth.issued(token) {
		return ""
	}
	return o.account.AppID
}
