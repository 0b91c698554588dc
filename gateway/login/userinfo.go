package login

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"wxgate/internal/service"
)

// handleUserinfo shows the logged-in user: as a page if a browser opens it, else as JSON.
func (s *loginServer) handleUserinfo(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Vary", "Accept")
	q, err := readParameters(r, "account")
	if err != nil {
		return err
	}
	session, begin := s.sessionOf(r, q["account"]), loginPath
	if q["account"] != "" {
		begin += "?" + url.Values{"account": {q["account"]}}.Encode()
	}
	switch person := prefersHTML(r.Header.Values("Accept")); {
	case person && session == nil:
		return writePage(w, http.StatusUnauthorized, pageContent{Title: "你没有登录。 You are not logged in.", Link: begin, Action: "登录 · Log in"})
	case person:
		return writePage(w, http.StatusOK, userPage(session))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if session == nil {
		w.WriteHeader(http.StatusUnauthorized)
		return json.NewEncoder(w).Encode(map[string]string{"error": "not logged in", "login": begin})
	}
	return writeUser(w, session)
}

// writeUser writes a user as JSON: the fields of WeChat, with the account and the scope.
func writeUser(w io.Writer, session *loginSession) error {
	data, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(session.User)
	if err != nil {
		return err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	fields["account"], fields["scope"] = session.Account, grantedScope(session)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out.Encode(fields)
}

// grantedScope returns the scope that a user granted. WeChat's form sometimes ends with a comma.
func grantedScope(session *loginSession) string { return strings.Trim(session.Scope, ",") }

// userPage is the page of a logged-in user.
func userPage(session *loginSession) pageContent {
	nickname := session.User.GetNickname()
	if nickname == "" {
		nickname = "—" // scopeBase has no nickname
	}
	return pageContent{
		Title: "已登录 · Logged in",
		Image: session.User.GetHeadimgurl(),
		Rows: []pageRow{
			{"昵称 · Nickname", nickname},
			{"openid", service.ShortOpenID(session.User.GetOpenid())},
			{"公众号 · Account", session.Account},
			{"授权范围 · Scope", grantedScope(session)},
			{"快照页 · Snapshot page", "否 · no"}, // users of snapshot pages are never logged in, see exchangeCode
		},
		Link:   logoutPath,
		Action: "退出登录 · Log out",
	}
}

// prefersHTML reports whether Accept headers contain text/html and prefer it to JSON. Those of a browser that opens a page do; those of
// fetch, curl and HTTP libraries do not.
func prefersHTML(accept []string) bool {
	quality := map[string]float64{}
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		quality[kind] = 1
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			quality[kind] = q
		}
	}
	jsonQuality := quality["*/*"]
	for _, kind := range []string{"application/*", "application/json"} {
		if q, named := quality[kind]; named {
			jsonQuality = q
		}
	}
	return quality["text/html"] > jsonQuality
}
