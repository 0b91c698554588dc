package login

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// returned is what a browser brings back from WeChat.
type returned struct {
	target
	code, state string
}

func (o *oauth) readReturned(r *http.Request) (returned, error) {
	q, err := parameters(r, "code", "state", "return_to", "account", "scope", "again")
	if err != nil {
		return returned{}, err
	}
	t, err := o.target(q)
	// Some clients of WeChat append ?from=… to a page that is shared, also behind another query. Neither has a "?".
	code, _, _ := strings.Cut(q["code"], "?")
	state, _, _ := strings.Cut(q["state"], "?")
	return returned{t, code, state}, err
}

// callback is where WeChat sends the browser back with a code. No page stays at this address: people share the address of
// what they see.
func (o *oauth) callback(w http.ResponseWriter, r *http.Request) error {
	back, err := o.readReturned(r)
	if err == nil {
		err = o.finishLogin(w, r, back)
	}
	if why, failed := errors.AsType[*pageError](err); failed {
		return o.leaveCallback(w, r, back.target, why)
	}
	return err
}

// finishLogin logs in the browser that began the login, and no other.
func (o *oauth) finishLogin(w http.ResponseWriter, r *http.Request, back returned) error {
	began := time.Now()
	retry := o.retry(back.target)
	err := o.state.check(back.state, back.account, back.returnTo, began)
	before := o.sessionOf(r, back.account)
	if (err == nil || errors.Is(err, errStateExpired)) && before.cameBy(back.state) {
		redirect(w, back.returnTo) // the browser's history led here, or a reload
		return nil
	}
	if err != nil {
		return forbiddenPage(err.Error(), retry)
	}
	if back.code == "" {
		return failedPage("declined", retry)
	}
	if !o.isOwnLogin(r, back.state) {
		if back.again {
			return failedPage("no_cookie", retry)
		}
		// A shared address, or a webview that lost its cookies.
		back.again = true
		redirect(w, loginPath+"?"+o.query(back.target))
		return nil
	}
	if !o.brake.isOpen(r) {
		return failedPage("too_many", retry)
	}
	who, err := o.exchange(r, back)
	if err != nil {
		return err
	}
	service.LineOf(r.Context()).Add(slog.String("user", service.Short(who.User.GetOpenid())))
	who.Began = began // before the code was exchanged: a user who withdrew meanwhile is not logged in
	who.follow(before, back.state)
	if err := o.startSession(w, r, who); err != nil {
		service.LineOf(r.Context()).Fail(err)
		return failedPage("session", retry)
	}
	redirect(w, back.returnTo)
	return nil
}

// exchange asks oauthsvc who the user is. The error is a *pageError.
func (o *oauth) exchange(r *http.Request, back returned) (*session, error) {
	ctx, retry := r.Context(), o.retry(back.target)
	exchanged, err := o.client.ExchangeCode(ctx, &oauthv1.ExchangeCodeRequest{Account: back.account, Code: back.code, State: back.state})
	if err != nil {
		if isAboutCode(oauthv1.ReasonOf(err)) {
			o.brake.count(r)
		}
		return nil, oauthFailure(err, retry)
	}
	token := exchanged.GetToken()
	if token.GetIsSnapshotuser() != 0 {
		// The openid is made up by WeChat: neither an account nor a login may come from it.
		return nil, failedPage("snapshot_user", retry)
	}
	user, err := o.userOf(ctx, back.account, token)
	if err != nil {
		return nil, oauthFailure(err, retry)
	}
	return &session{Account: back.account, Scope: token.GetScope(), User: user}, nil
}

// userOf returns the user behind a token: the profile if the scope allows it, else the ids.
func (o *oauth) userOf(ctx context.Context, name string, token *oauthv1.Token) (*oauthv1.UserInfo, error) {
	if !showsProfile(token.GetScope()) {
		return &oauthv1.UserInfo{Openid: token.GetOpenid(), Unionid: token.GetUnionid()}, nil
	}
	resp, err := o.client.GetUserInfo(ctx, &oauthv1.GetUserInfoRequest{Account: name, AccessToken: token.GetAccessToken(), Openid: token.GetOpenid()})
	user := resp.GetUser()
	if err == nil && user.GetUnionid() == "" && token.GetUnionid() != "" {
		user = proto.CloneOf(user) // oauthsvc may be in this process
		user.Unionid = token.GetUnionid()
	}
	return user, err
}

// showsProfile reports whether a scope, as WeChat says it, is more than the openid.
func showsProfile(scope string) bool {
	return strings.Contains(scope, "snsapi_userinfo") || strings.Contains(scope, "snsapi_login")
}
