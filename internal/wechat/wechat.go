// Package wechat is WeChat's wire format: signatures, the AES envelope, the XML of callbacks and passive replies.
// Its functions are pure: no I/O but the system's random source, no gRPC.
//
// The facts come from the platform's pages "消息推送" (message push), "消息加解密" (message encryption) and
// "被动回复用户消息" (passive reply), and from recorded traffic; the known answers in testdata/vectors.json were
// made by others' code.
package wechat

// MaxBody is the largest callback body that is read, in bytes. WeChat's own are a few KiB.
const MaxBody = 1 << 20

// Success is the body that tells WeChat: accepted, nothing to say, do not send again. It is never sealed.
const Success = "success"
