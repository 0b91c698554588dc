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

// userinfo shows a user to themselves: to a person in a browser as a page, to all else as JSON.
func (o *oauth) userinfo(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Vary", "Accept")
	q, err := parameters(r, "account")
	if err != nil {
		return err
	}
	who, begin := o.sessionOf(r, q["account"]), loginPath
	if q["account"] != "" {
		begin += "?" + url.Values{"account": {q["account"]}}.Encode()
	}
	switch person := prefersHTML(r.Header.Values("Accept")); {
	case person && who == nil:
		return writePage(w, http.StatusUnauthorized, page{Title: "你没有登录。 You are not logged in.", Link: begin, Action: "登录 · Log in"})
	case person:
		return writePage(w, http.StatusOK, userPage(who))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if who == nil {
		w.WriteHeader(http.StatusUnauthorized)
		return json.NewEncoder(w).Encode(map[string]string{"error": "not logged in", "login": begin})
	}
	return writeUser(w, who)
}

// writeUser writes a user as JSON: the fields that WeChat gives, and whose user it is.
func writeUser(w io.Writer, who *session) error {
	data, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(who.User)
	if err != nil {
		return err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	fields["account"], fields["scope"] = who.Account, grantedScope(who)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out.Encode(fields)
}

// grantedScope returns what a user granted. WeChat sometimes ends it with a comma.
func grantedScope(who *session) string { return strings.Trim(who.Scope, ",") }

// userPage is the page of a user who is logged in.
func userPage(who *session) page {
	nickname := who.User.GetNickname()
	if nickname == "" {
		nickname = "—" // snsapi_base shows none
	}
	return page{
		Title: "已登录 · Logged in",
		Image: who.User.GetHeadimgurl(),
		Rows: []row{
			{"昵称 · Nickname", nickname},
			{"openid", service.Short(who.User.GetOpenid())},
			{"公众号 · Account", who.Account},
			{"授权范围 · Scope", grantedScope(who)},
			{"快照页 · Snapshot page", "否 · no"}, // its users are never logged in, see exchange
		},
		Link:   logoutPath,
		Action: "退出登录 · Log out",
	}
}

// prefersHTML tells whether Accept headers name text/html, and rank it above JSON: those of a browser that opens a page
// do, those of fetch, curl and HTTP libraries do not.
func prefersHTML(accept []string) bool {
	quality := map[string]float64{}
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, parameters, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		quality[kind] = 1
		if q, err := strconv.ParseFloat(parameters["q"], 64); err == nil {
			quality[kind] = q
		}
	}
	json := quality["*/*"]
	for _, kind := range []string{"application/*", "application/json"} {
		if q, named := quality[kind]; named {
			json = q
		}
	}
	return quality["text/html"] > json
}
