// Package oauthv1 is the contract of oauthsvc, the only service that calls api.weixin.qq.com. OAuthService logs users in;
// AccountService does what needs the account's AppSecret. Every error has an ErrorReason.
package oauthv1
