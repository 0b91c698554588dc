// Package fakewechat is a fake of WeChat's platform: it sends signed callbacks as WeChat does, judges the answers as
// WeChat would, and serves the pages and calls of web OAuth and the account's API: access_token, jsapi_ticket,
// customer-service messages, quotas. NOT FOR PRODUCTION: it asks nobody for a password, and forgets all on exit.
//
// The facts come from the platform's pages "消息推送" (message push), "消息加解密" (message encryption),
// "被动回复用户消息" (passive reply), "网页授权" (web authorization), "接口调用凭据" (access_token) and "客服消息"
// (customer-service messages), and from recorded traffic. Answers are read with encoding/xml and not with the gateway's
// own parser, so that a mistake there is not made twice.
//
// A test starts one with Start and sends messages with Send. It steers a Platform with Config.Now, Config.OnSent, Put, Calls,
// Did, Sent, Fail, ExpireToken, RefuseIP, SetFaults and Reset; one in another language does so over HTTP (docs/FAKE.md).
package fakewechat
