// Package wechatv1 has the messages that WeChat sends and the replies it accepts, without WeChat's XML: a Message for each
// callback, and a Reply. Every service and every bot uses them.
package wechatv1
