package wechat

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	wechatv1 "wxgate/proto/wechat/v1"
)

// EncodeReply returns the XML of a passive reply to the user's openid, from the account's original id; createTime is in
// seconds since 1970. It returns nil if there is nothing to say: no reply, no content, or a text that is empty or blank
// (platform.md A.6). It drops characters that XML cannot contain, and no text can end its CDATA section.
func EncodeReply(r *wechatv1.Reply, to, from string, createTime int64) []byte {
	// One allocation as a rule, with room for the texts and the markup around them.
	b := make([]byte, 0, replySize(r)+len(to)+len(from))
	b = append(b, "<xml>"...)
	b = cdataElement(b, "ToUserName", to)
	b = cdataElement(b, "FromUserName", from)
	b = append(b, "<CreateTime>"...)
	b = strconv.AppendInt(b, createTime, 10)
	b = append(b, "</CreateTime>"...)
	b, ok := appendContent(b, r)
	if !ok {
		return nil
	}
	return append(b, "</xml>"...)
}

// appendContent appends the elements of a reply's content. It reports false if there is nothing to say.
func appendContent(b []byte, r *wechatv1.Reply) (appended []byte, ok bool) {
	switch c := r.GetContent().(type) {
	case *wechatv1.Reply_Text:
		return appendText(b, c.Text)
	case *wechatv1.Reply_Image:
		return appendMedia(b, "image", "Image", c.Image.GetMediaId()), true
	case *wechatv1.Reply_Voice:
		return appendMedia(b, "voice", "Voice", c.Voice.GetMediaId()), true
	case *wechatv1.Reply_Video:
		return appendVideo(b, c.Video), true
	case *wechatv1.Reply_Music:
		return appendMusic(b, c.Music), true
	case *wechatv1.Reply_News:
		return appendNews(b, c.News), true
	case *wechatv1.Reply_TransferCustomerService:
		return appendTransfer(b, c.TransferCustomerService), true
	}
	return b, false
}

func appendText(b []byte, r *wechatv1.TextReply) (appended []byte, ok bool) {
	b = cdataElement(b, "MsgType", "text")
	begin := len(b)
	b = cdataElement(b, "Content", r.GetContent())
	content := b[begin+len("<Content><![CDATA[") : len(b)-len("]]></Content>")]
	return b, len(bytes.TrimSpace(content)) > 0
}

func appendMedia(b []byte, msgType, name, mediaID string) []byte {
	b = cdataElement(b, "MsgType", msgType)
	b = openTag(b, name)
	b = cdataElement(b, "MediaId", mediaID)
	return closeTag(b, name)
}

func appendVideo(b []byte, r *wechatv1.VideoReply) []byte {
	b = cdataElement(b, "MsgType", "video")
	b = append(b, "<Video>"...)
	b = cdataElement(b, "MediaId", r.GetMediaId())
	b = optionalElement(b, "Title", r.GetTitle())
	b = optionalElement(b, "Description", r.GetDescription())
	return append(b, "</Video>"...)
}

func appendMusic(b []byte, r *wechatv1.MusicReply) []byte {
	b = cdataElement(b, "MsgType", "music")
	b = append(b, "<Music>"...)
	b = optionalElement(b, "Title", r.GetTitle())
	b = optionalElement(b, "Description", r.GetDescription())
	b = optionalElement(b, "MusicUrl", r.GetMusicUrl())
	b = optionalElement(b, "HQMusicUrl", r.GetHqMusicUrl())
	b = cdataElement(b, "ThumbMediaId", r.GetThumbMediaId())
	return append(b, "</Music>"...)
}

func appendNews(b []byte, r *wechatv1.NewsReply) []byte {
	b = cdataElement(b, "MsgType", "news")
	b = append(b, "<ArticleCount>"...)
	b = strconv.AppendInt(b, int64(len(r.GetArticles())), 10)
	b = append(b, "</ArticleCount><Articles>"...)
	for _, a := range r.GetArticles() {
		b = append(b, "<item>"...)
		b = cdataElement(b, "Title", a.GetTitle())
		b = cdataElement(b, "Description", a.GetDescription())
		b = cdataElement(b, "PicUrl", a.GetPicUrl())
		b = cdataElement(b, "Url", a.GetUrl())
		b = append(b, "</item>"...)
	}
	return append(b, "</Articles>"...)
}

func appendTransfer(b []byte, r *wechatv1.TransferCustomerServiceReply) []byte {
	b = cdataElement(b, "MsgType", "transfer_customer_service")
	if kf := r.GetKfAccount(); kf != "" {
		b = append(b, "<TransInfo>"...)
		b = cdataElement(b, "KfAccount", kf)
		b = append(b, "</TransInfo>"...)
	}
	return b
}

// replySize returns the number of bytes that a reply's texts and the markup around them need, without the two names. It is
// usually a little too large.
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

// cdataElement appends a leaf with a text in CDATA, without blanks around it: WeChat shows an error for those.
func cdataElement(b []byte, name, text string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	b = append(b, '>')
	b = append(b, cdataOpen...)
	b = appendCDATA(b, text)
	b = append(b, "]]></"...)
	b = append(b, name...)
	return append(b, '>')
}

// optionalElement is cdataElement, or appends nothing for an empty text.
func optionalElement(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return cdataElement(b, name, text)
}

// appendCDATA appends text for use in a CDATA section: it drops the characters that XML 1.0 forbids and invalid UTF-8, and
// splits each "]]>" over two sections.
func appendCDATA(b []byte, text string) []byte {
	if isCDATASafe(text) {
		return append(b, text...)
	}
	begin := len(b)
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") || !isXMLChar(r) {
			continue
		}
		// Compares with the bytes written: a dropped character must not join "]]" and ">".
		if r == '>' && len(b)-begin >= 2 && b[len(b)-1] == ']' && b[len(b)-2] == ']' {
			b = append(b, cdataClose+cdataOpen...)
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// isCDATASafe reports whether text can be in a CDATA section unchanged.
func isCDATASafe(text string) bool {
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

// isXMLChar reports whether XML 1.0 allows the character (section 2.2).
func isXMLChar(r rune) bool {
	return r >= ' ' && r <= 0xD7FF || r == '\n' || r == '\t' || r == '\r' ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}
