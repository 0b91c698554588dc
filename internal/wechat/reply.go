package wechat

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	wechatv1 "wxgate/proto/wechat/v1"
)

// EncodeReply returns a passive reply's XML: from the account's original id to the user's openid, created at a time in
// seconds. It returns nil if there is nothing to say: no reply, no content, a text that is empty or blank
// (platform.md A.6), or holds nothing that XML can. What XML cannot hold is dropped, and no text can end its CDATA section.
func EncodeReply(r *wechatv1.Reply, to, from string, createTime int64) []byte {
	// One allocation as a rule: the texts, and the markup around them.
	b := make([]byte, 0, replySize(r)+len(to)+len(from))
	b = append(b, "<xml>"...)
	b = element(b, "ToUserName", to)
	b = element(b, "FromUserName", from)
	b = append(b, "<CreateTime>"...)
	b = strconv.AppendInt(b, createTime, 10)
	b = append(b, "</CreateTime>"...)
	switch c := r.GetContent().(type) {
	case *wechatv1.Reply_Text:
		b = element(b, "MsgType", "text")
		begin := len(b)
		b = element(b, "Content", c.Text.GetContent())
		content := b[begin+len("<Content><![CDATA[") : len(b)-len("]]></Content>")]
		if len(bytes.TrimSpace(content)) == 0 {
			return nil
		}
	case *wechatv1.Reply_Image:
		b = element(b, "MsgType", "image")
		b = append(b, "<Image>"...)
		b = element(b, "MediaId", c.Image.GetMediaId())
		b = append(b, "</Image>"...)
	case *wechatv1.Reply_Voice:
		b = element(b, "MsgType", "voice")
		b = append(b, "<Voice>"...)
		b = element(b, "MediaId", c.Voice.GetMediaId())
		b = append(b, "</Voice>"...)
	case *wechatv1.Reply_Video:
		b = element(b, "MsgType", "video")
		b = append(b, "<Video>"...)
		b = element(b, "MediaId", c.Video.GetMediaId())
		b = optional(b, "Title", c.Video.GetTitle())
		b = optional(b, "Description", c.Video.GetDescription())
		b = append(b, "</Video>"...)
	case *wechatv1.Reply_Music:
		b = element(b, "MsgType", "music")
		b = append(b, "<Music>"...)
		b = optional(b, "Title", c.Music.GetTitle())
		b = optional(b, "Description", c.Music.GetDescription())
		b = optional(b, "MusicUrl", c.Music.GetMusicUrl())
		b = optional(b, "HQMusicUrl", c.Music.GetHqMusicUrl())
		b = element(b, "ThumbMediaId", c.Music.GetThumbMediaId())
		b = append(b, "</Music>"...)
	case *wechatv1.Reply_News:
		b = element(b, "MsgType", "news")
		b = append(b, "<ArticleCount>"...)
		b = strconv.AppendInt(b, int64(len(c.News.GetArticles())), 10)
		b = append(b, "</ArticleCount><Articles>"...)
		for _, a := range c.News.GetArticles() {
			b = append(b, "<item>"...)
			b = element(b, "Title", a.GetTitle())
			b = element(b, "Description", a.GetDescription())
			b = element(b, "PicUrl", a.GetPicUrl())
			b = element(b, "Url", a.GetUrl())
			b = append(b, "</item>"...)
		}
		b = append(b, "</Articles>"...)
	case *wechatv1.Reply_TransferCustomerService:
		b = element(b, "MsgType", "transfer_customer_service")
		if kf := c.TransferCustomerService.GetKfAccount(); kf != "" {
			b = append(b, "<TransInfo>"...)
			b = element(b, "KfAccount", kf)
			b = append(b, "</TransInfo>"...)
		}
	default:
		return nil
	}
	return append(b, "</xml>"...)
}

// replySize returns the bytes that a reply's texts and the markup around them need, without the two names; a little more
// as a rule.
func replySize(r *wechatv1.Reply) int {
	const text = len("<xml><ToUserName><![CDATA[]]></ToUserName><FromUserName><![CDATA[]]></FromUserName><CreateTime>1234567890</CreateTime>" +
		"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[]]></Content></xml>")
	const media = text + 256 // more elements, and media ids
	const article = len("<item><Title><![CDATA[]]></Title><Description><![CDATA[]]></Description>" +
		"<PicUrl><![CDATA[]]></PicUrl><Url><![CDATA[]]></Url></item>")
	switch c := r.GetContent().(type) {
	case *wechatv1.Reply_Text:
		return text + len(c.Text.GetContent()) + 32 // a "]]>" in it takes more
	case *wechatv1.Reply_Video:
		return media + len(c.Video.GetTitle()) + len(c.Video.GetDescription())
	case *wechatv1.Reply_Music:
		m := c.Music
		return media + len(m.GetTitle()) + len(m.GetDescription()) + len(m.GetMusicUrl()) + len(m.GetHqMusicUrl())
	case *wechatv1.Reply_News:
		n := media
		for _, a := range c.News.GetArticles() {
			n += article + len(a.GetTitle()) + len(a.GetDescription()) + len(a.GetPicUrl()) + len(a.GetUrl())
		}
		return n
	}
	return media
}

// element appends a leaf whose text stands in CDATA, without blanks: WeChat shows an error for those.
func element(b []byte, name, text string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	b = append(b, '>')
	b = append(b, cdataOpen...)
	b = appendCDATA(b, text)
	b = append(b, "]]></"...)
	b = append(b, name...)
	return append(b, '>')
}

// optional is element, or nothing for an empty text.
func optional(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return element(b, name, text)
}

// appendCDATA appends text as it can stand in a CDATA section: without the characters that XML 1.0 forbids and
// without invalid UTF-8, and with each "]]>" split over two sections.
func appendCDATA(b []byte, text string) []byte {
	if clean(text) {
		return append(b, text...)
	}
	begin := len(b)
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") || !xmlChar(r) {
			continue
		}
		// Looked for in what was written: a dropped character must not join "]]" and ">".
		if r == '>' && len(b)-begin >= 2 && b[len(b)-1] == ']' && b[len(b)-2] == ']' {
			b = append(b, cdataClose+cdataOpen...)
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// clean tells whether text can stand in a CDATA section as it is.
func clean(text string) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ' && c != '\n' && c != '\t' && c != '\r':
			return false
		case c == 0xEF && i+2 < len(text) && text[i+1] == 0xBF && text[i+2] >= 0xBE: // U+FFFE, U+FFFF
			return false
		}
	}
	return !strings.Contains(text, cdataClose) && utf8.ValidString(text)
}

// xmlChar tells whether XML 1.0 knows the character (section 2.2).
func xmlChar(r rune) bool {
	return r >= ' ' && r <= 0xD7FF || r == '\n' || r == '\t' || r == '\r' ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}
