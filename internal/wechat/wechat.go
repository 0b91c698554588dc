// Package wechat implements WeChat's wire format: signatures, the AES envelope, the XML of callbacks and passive replies. Its
// functions do no I/O, except that they read the system's random source, and know nothing of gRPC.
//
// The facts come from the platform's pages "消息推送" (message push), "消息加解密" (message encryption) and
// "被动回复用户消息" (passive reply), and from recorded traffic. The known answers in testdata/vectors.json were made by
// other projects' code.
package wechat

// MaxBody is the largest callback body that is read, in bytes. WeChat's own are a few KiB.
const MaxBody = 1 << 20

// Success is the response body for: accepted, there is no reply, do not send again. It is never encrypted.
const Success = "success"
