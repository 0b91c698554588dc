package wechatv1

import "strings"

// EventReply says how WeChat treats a passive reply to an event.
type EventReply int

const (
	// ReplyUnsure means that no source says whether the user sees the reply.
	ReplyUnsure EventReply = iota
	// ReplyShown means that the user sees it.
	ReplyShown
	// ReplyFrequent means that the user sees it, but did nothing to cause the event, which comes again every few seconds.
	ReplyFrequent
	// ReplyHidden means that WeChat accepts it and does not show it.
	ReplyHidden
	// ReplyInvalid means that WeChat reports it to the account's owner as an invalid response.
	ReplyInvalid
)

// IsAnswerable reports whether a reply that was not written for the event, such as the default's, makes sense.
func (r EventReply) IsAnswerable() bool { return r == ReplyUnsure || r == ReplyShown }

// IsShown reports whether the user may see the reply.
func (r EventReply) IsShown() bool { return r != ReplyHidden && r != ReplyInvalid }

// EventReplyOf returns how WeChat treats a reply to the event with this name, in any case; ReplyUnsure if the name is unknown.
func EventReplyOf(event string) EventReply { return eventReplyByName[strings.ToLower(event)] }

// EventReply returns how WeChat treats a reply to the message; ReplyShown if it is not an event.
func (m *Message) EventReply() EventReply {
	if m.GetEvent() == nil {
		return ReplyShown
	}
	return EventReplyOf(m.GetEvent().GetEvent())
}

// EventNames returns the names of the events that WeChat is known to send, as it spells them.
func EventNames() []string {
	var names []string
	for _, known := range eventReplies {
		names = append(names, known.events...)
	}
	return names
}

// eventReplies lists each event that WeChat is known to send, once. The sections are those of internal/wechat/platform.md.
var eventReplies = []struct {
	reply  EventReply
	source string
	events []string
}{
	{ReplyShown, "C.13: listed", []string{"subscribe", "SCAN", "CLICK", "scancode_waitmsg", "user_enter_session_from_card"}},
	{ReplyShown, "C.10: the user enters the chat from a product's page, as from a card", []string{"user_scan_product_enter_session"}},
	{ReplyFrequent, "C.2: every 5 seconds, or each time the chat is entered; C.13: a reply is shown", []string{"LOCATION"}},
	{ReplyInvalid, "C.2, C.13: the user has left; WeChat's notices to the account's owner list a text as an invalid response", []string{"unsubscribe"}},
	{ReplyHidden, "C.13: VIEW and view_miniprogram; the user is on another page", []string{"VIEW", "view_miniprogram"}},
	{ReplyHidden, "C.13: job results (C.3)", []string{
		"TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH", "PUBLISHJOBFINISH", "FREEPUBLISHJOBFINISH",
	}},
	{ReplyHidden, "C.4: results of subscription notices, and what the user chose on a page or in the settings", []string{
		"subscribe_msg_sent_event", "subscribe_msg_popup_event", "subscribe_msg_change_event",
	}},
	{ReplyHidden, "C.5: a person answers the user, or did until now", []string{"kf_create_session", "kf_close_session", "kf_switch_session"}},
	{ReplyHidden, "C.6, C.13: authorization; the sender is a platform user", []string{
		"user_info_modified", "user_authorization_revoke", "user_authorization_cancellation",
	}},
	{ReplyHidden, "C.7, C.13: audits of the account", []string{
		"qualification_verify_success", "qualification_verify_fail", "naming_verify_success", "naming_verify_fail",
		"annual_renew", "verify_expired",
	}},
	{ReplyHidden, "C.8, C.13: audits of cards and merchants, stock, and orders of the account's owner", []string{
		"card_pass_check", "card_not_pass_check", "card_merchant_check_result", "card_sku_remind", "card_pay_order",
	}},
	{ReplyHidden, "C.10, C.13: audits of stores", []string{
		"poi_check_notify", "apply_merchant_audit_info", "modify_store_audit_info", "add_store_audit_info", "create_map_poi_audit_info",
	}},
	{ReplyHidden, "C.12, C.13: audits of mini programs and media", []string{
		"weapp_audit_success", "weapp_audit_fail", "weapp_audit_delay", "wxa_media_check",
	}},
	{ReplyUnsure, "C.2: menu events that another message of the user follows, and one that is obsolete", []string{
		"scancode_push", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select", "ENTER",
	}},
	{ReplyUnsure, "C.8: what a user does with cards", []string{
		"user_get_card", "user_gifting_card", "user_del_card", "submit_membercard_user_info", "user_view_card", "user_consume_card",
		"user_pay_from_pay_cell", "update_member_card", "giftcard_pay_done", "giftcard_send_to_friend", "giftcard_user_accept",
	}},
	{ReplyUnsure, "C.9", []string{
		"user_authorize_invoice", "update_invoice_status", "submit_invoice_title", "cloud_invoice_invoiceresult_event",
	}},
	{ReplyUnsure, "C.10", []string{
		"WifiConnected", "ShakearoundUserShake", "merchant_order", "user_scan_product", "user_scan_product_async",
		"user_scan_product_verify_action",
	}},
	{ReplyUnsure, "C.11, C.12", []string{
		"guide_qrcode_scan_event", "guide_invite_result_event", "add_guide_buyer_relation_event", "debug_demo", "user_enter_tempsession",
	}},
}

var eventReplyByName = func() map[string]EventReply {
	byName := map[string]EventReply{}
	for _, known := range eventReplies {
		for _, name := range known.events {
			byName[strings.ToLower(name)] = known.reply
		}
	}
	return byName
}()
