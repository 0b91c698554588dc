package wechatapi

import "net/http"

// Call is one of the calls of WeChat's API, and how its answers and failures are read.
type Call struct {
	Path   string // also the label of metrics
	Method string

	credential credentialKind     // the subject of errcodes about tokens
	required   []requiredField    // of a success; a call without any has the errcode 0
	echoed     string             // a field that must come back as the query has it; "": none
	retry      retryPolicy        // when it is made again
	errcodes   [][]errcodeMeaning // meanings that are this call's alone; they come before those for all calls
}

// The calls (platform.md E.2, F). A new call is a row here, and its handler in oauthsvc.
var (
	ExchangeCode     = &Call{Path: "/sns/oauth2/access_token", Method: http.MethodGet, credential: appSecret, required: texts("access_token", "openid"), retry: retryAtOnce}
	RefreshUserToken = &Call{Path: "/sns/oauth2/refresh_token", Method: http.MethodGet, credential: refreshToken, required: texts("access_token", "openid")}
	GetUserInfo      = &Call{Path: "/sns/userinfo", Method: http.MethodGet, credential: userToken, required: texts("openid"), echoed: "openid"}
	CheckUserToken   = &Call{Path: "/sns/auth", Method: http.MethodGet, credential: userToken}

	GetStableToken = &Call{Path: "/cgi-bin/stable_token", Method: http.MethodPost, credential: appSecret, required: texts("access_token")}
	GetTicket      = &Call{Path: "/cgi-bin/ticket/getticket", Method: http.MethodGet, credential: accountToken, required: texts("ticket")}
	GetCallbackIPs = &Call{Path: "/cgi-bin/getcallbackip", Method: http.MethodGet, credential: accountToken, required: lists("ip_list")}
	GetQuota       = &Call{Path: "/cgi-bin/openapi/quota/get", Method: http.MethodPost, credential: accountToken, required: objects("quota"), errcodes: [][]errcodeMeaning{quotaErrcodes}}

	SendMessage = &Call{Path: "/cgi-bin/message/custom/send", Method: http.MethodPost, credential: accountToken, retry: retryIfUnsent, errcodes: [][]errcodeMeaning{chatErrcodes, messageErrcodes}}
	SetTyping   = &Call{Path: "/cgi-bin/message/custom/typing", Method: http.MethodPost, credential: accountToken, errcodes: [][]errcodeMeaning{chatErrcodes, typingErrcodes}}
)

// credentialKind is the secret that authorizes a call. The errcodes 40001, 40014 and 42001 are about it.
type credentialKind int

const (
	userToken    credentialKind = iota // a user's access token
	accountToken                       // the account's access token
	refreshToken                       // a user's refresh token
	appSecret                          // the account's AppSecret
)

// retryPolicy is when a call is made again after its host failed, or was busy.
type retryPolicy int

const (
	retryAfterPause retryPolicy = iota
	retryAtOnce                 // the call depends on something short-lived, such as a code
	// retryIfUnsent is for POSTs that WeChat would do twice: they are made again only if nothing of them was sent. If it is not
	// known whether WeChat did one, its failure says so (MaybeSent).
	retryIfUnsent
)

// requiredField is a field that a successful answer must have.
type requiredField struct {
	name      string
	isPresent func(Answer, string) bool
}

// texts returns required fields that are texts and not empty.
func texts(names ...string) []requiredField {
	return requireFields(names, func(a Answer, name string) bool { return a.Text(name) != "" })
}

// lists returns required fields that are lists, which may be empty.
func lists(names ...string) []requiredField {
	return requireFields(names, func(a Answer, name string) bool { return a.Texts(name) != nil })
}

// objects returns required fields that are objects.
func objects(names ...string) []requiredField {
	return requireFields(names, func(a Answer, name string) bool { return a.Object(name) != nil })
}

func requireFields(names []string, isPresent func(Answer, string) bool) (fields []requiredField) {
	for _, name := range names {
		fields = append(fields, requiredField{name, isPresent})
	}
	return fields
}
