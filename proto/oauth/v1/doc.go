// Package oauthv1 is the contract of oauthsvc, the only service that calls api.weixin.qq.com. OAuthService logs users in;
// AccountService makes calls with the account's access token. Errors have an ErrorReason, which ReasonOf returns.
package oauthv1
