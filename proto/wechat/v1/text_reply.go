package wechatv1

// TextReplyOf returns a reply with a text; nil, which means no answer, if the text is empty.
func TextReplyOf(text string) *Reply {
	if text == "" {
		return nil
	}
	return &Reply{Content: &Reply_Text{Text: &TextReply{Content: text}}}
}
