// Package wechatv1 has the messages that WeChat sends and the replies that it accepts, without WeChat's XML: a Message for each
// callback, and a Reply. All services and bots use them.
package wechatv1
