package fakewechat

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"wxgate/fakewechat/sender"
)

// errmsgs has WeChat's texts for its errcodes. The texts of 45072 to 45081 and of 76003 are ours: WeChat's pages have none in
// English.
var errmsgs = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40007: "invalid media_id",
	40008: "invalid message type",
	40013: "invalid appid",
	40014: "invalid access_token",
	40029: "invalid code",
	40030: "invalid refresh_token",
	40033: `invalid charset. please check your request, if include \uxxxx will create fail!`,
	40035: "invalid args size",
	40125: "invalid appsecret",
	40066: "invalid url",
	40163: "code been used",
	41001: "access_token missing",
	41002: "appid missing",
	41003: "refresh_token missing",
	41004: "appsecret missing",
	41008: "missing code",
	41009: "missing openid",
	42001: "access_token expired",
	42002: "refresh_token expired",
	42003: "code expired",
	43001: "require GET method",
	43002: "require POST method",
	44002: "empty post data",
	44003: "empty news data",
	44004: "empty content",
	45002: "content size out of limit",
	45008: "article size out of limit",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	45015: "response out of time limit or subscription is canceled",
	45047: "out of response count limit",
	45072: "invalid command",
	45080: "no message within 30 seconds",
	45081: "already typing",
	47001: "data format error",
	48001: "api unauthorized",
	48004: "api forbidden for irregularities, view detail on mp.weixin.qq.com",
	48006: "forbid to clear quota because of reaching the limit",
	76003: "invalid cgi_path",
	76021: "cgi_path not found, please check",
	76022: "could not use this cgi_path, no permission",
}

// answerStyle is the form of the answers of a family of API calls; recorded traffic differs.
type answerStyle struct {
	contentType string
	rid         string // between an errmsg and its rid
}

var (
	// Not application/json: WeChat's header is wrong, and clients must live with it.
	snsStyle     = answerStyle{"text/plain", ", rid: "}
	accountStyle = answerStyle{"application/json; encoding=utf-8", " rid: "}
)

// callResult is the answer to an API call: a value if errcode is 0, else an error.
type callResult struct {
	answer  any
	errcode int
	fields  []sender.Field // for the log page; a copy of its own
	account string         // AppID of the account that was called
	user    string         // openid of the user that the call concerns
}

func refusedResult(errcode int) callResult { return callResult{errcode: errcode} }

type errorAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

// okResult is the answer of a call that returns no value.
var okResult = callResult{answer: errorAnswer{0, "ok"}}

// handleCall serves an API call at a path, with one method.
func (p *Platform) handleCall(path, method string, s answerStyle, do func(r *http.Request) callResult) {
	p.calls[path] = &callCount{}
	p.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		errcode, dice := p.countCall(path), p.faultState.nextCall(path)
		if fault := dice.answerInstead(w); fault != "" {
			p.addLogLine(logLine{What: sameInBoth(path), Outcome: inBoth("fault: %s", fault)})
			p.log.Info("fake WeChat API call", "path", path, "fault", fault)
			return
		}
		res := refusedResult(cmp.Or(errcode, dice.drawErrcode()))
		switch {
		case res.errcode != 0:
		case r.Method == method:
			res = do(r)
		case method == http.MethodGet:
			res = refusedResult(43001)
		default:
			res = refusedResult(43002)
		}
		outcome := "ok"
		if res.errcode != 0 {
			msg := errmsgOf(res.errcode, r)
			outcome = strconv.Itoa(res.errcode) + " " + msg
			res.answer = errorAnswer{res.errcode, msg + s.rid + p.newRequestID()}
		}
		w.Header().Set("Content-Type", s.contentType)
		p.addLogLine(logLine{What: sameInBoth(path), Outcome: sameInBoth(outcome), Fields: res.fields})
		p.chat.addCall(chatCall{At: p.now(), Path: path, Outcome: outcome, Account: res.account, User: res.user})
		p.log.Info("fake WeChat API call", "path", path, "errcode", res.errcode)
		dice.writeAnswer(w, r, asJSON(res.answer))
	})
}

// errmsgOf returns the text of an errcode, without the request id.
func errmsgOf(errcode int, r *http.Request) string {
	if errcode != 40164 {
		return cmp.Or(errmsgs[errcode], "error")
	}
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	ip := from.Addr().Unmap()
	return fmt.Sprintf("invalid ip %s ipv6 %s, not in whitelist", ip, netip.AddrFrom16(ip.As16()))
}

func (p *Platform) newRequestID() string {
	return fmt.Sprintf("%08x-%08x-%08x", uint32(p.now().Unix()), rand.Uint32(), rand.Uint32())
}

// notSimulated is the errcode of a call that the Platform does not simulate: WeChat's own for an unknown path.
const notSimulated = 40066

// serveNotSimulated answers an API call that the fake does not simulate, and shows it, so that the author of a bot does not
// look for the error in the bot. The query is not shown: it has the access_token.
func (p *Platform) serveNotSimulated(w http.ResponseWriter, r *http.Request) {
	if !looksLikeAPI(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	const most = 120 // bytes of a path
	call := r.Method + " " + sender.Clip(strings.ToValidUTF8(r.URL.Path, "�"), most)
	outcome := sender.Because("not simulated")
	p.addLogLine(logLine{What: sameInBoth(call), Outcome: inBoth("not simulated")})
	p.chat.addCall(chatCall{At: p.now(), Path: call, Outcome: outcome.Error(), InZH: outcome.Chinese(), Account: p.accountOfToken(r)})
	p.log.Warn("fake WeChat API call: not simulated", "method", r.Method, "path", sender.Clip(r.URL.Path, most))
	w.Header().Set("Content-Type", accountStyle.contentType)
	msg := errmsgs[notSimulated] + ": the fake WeChat does not simulate this call" + accountStyle.rid + p.newRequestID()
	_, _ = w.Write(asJSON(errorAnswer{notSimulated, msg}))
}

// looksLikeAPI reports whether a path may be that of one of WeChat's API calls. These have two parts or more. Paths of the
// fake's own pages, and paths that browsers fetch by themselves, are not API calls.
func looksLikeAPI(path string) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return rest != "" && first != "fake" && first != "connect" && first != ".well-known"
}

// accountOfToken returns the AppID of the account that issued a call's access_token, or "".
func (p *Platform) accountOfToken(r *http.Request) string {
	q := r.URL.Query()
	acc := p.accountOfCall(q, "")
	if token := q.Get("access_token"); token == "" || !acc.api.hasIssued(token) && !acc.oauth.hasIssued(token) {
		return ""
	}
	return acc.settings.AppID
}
