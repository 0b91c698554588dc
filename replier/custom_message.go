package replier

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	// maxParts is how many customer-service messages WeChat allows after a user's message (platform.md F.3).
	maxParts = 5
	// maxPart is how long the text of one may be, in bytes (platform.md G, question 5).
	maxPart = 2048
	// maxText is the length to which a text is cut before it is split: long enough that the last part shows the cut.
	maxText = maxParts*maxPart + utf8.UTFMax
	// maxReply is how long a bot's answer may be, in bytes: six times the text that WeChat shows; the store takes 1 MiB.
	maxReply = 64 << 10
)

// checkReply returns why a bot's answer cannot be kept or sent; nil if it can.
func checkReply(reply *wechatv1.Reply) error {
	if size := proto.Size(reply); size > maxReply {
		return fmt.Errorf("%d bytes, expected at most %d: WeChat shows %d messages of %d", size, maxReply, maxParts, maxPart)
	}
	if _, err := proto.Marshal(reply); err != nil { // a handler's: gRPC has checked others
		return err
	}
	return nil
}

// shortenReply returns a reply without the end of a text that the user would not see.
func shortenReply(reply *wechatv1.Reply) *wechatv1.Reply {
	text := reply.GetText().GetContent()
	if len(text) <= maxText {
		return reply
	}
	return wechatv1.TextReplyOf(service.CutText(text, maxText))
}

// customMessages returns a reply as customer-service messages. The error says why there are none.
func customMessages(reply *wechatv1.Reply) ([]*oauthv1.CustomMessage, error) {
	switch c := reply.GetContent().(type) {
	case *wechatv1.Reply_Text:
		var parts []*oauthv1.CustomMessage
		for _, text := range splitText(c.Text.GetContent()) {
			parts = append(parts, &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Text{Text: text}})
		}
		return parts, nil
	case *wechatv1.Reply_Image:
		return singleMessage(&oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Image{Image: c.Image.GetMediaId()}})
	case *wechatv1.Reply_Voice:
		return singleMessage(&oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Voice{Voice: c.Voice.GetMediaId()}})
	case *wechatv1.Reply_Video:
		return singleMessage(&oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Video{Video: &oauthv1.CustomVideo{
			MediaId: c.Video.GetMediaId(), Title: c.Video.GetTitle(), Description: c.Video.GetDescription(),
		}}})
	case *wechatv1.Reply_Music:
		return singleMessage(&oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_Music{Music: &oauthv1.CustomMusic{
			Title: c.Music.GetTitle(), Description: c.Music.GetDescription(), MusicUrl: c.Music.GetMusicUrl(),
			HqMusicUrl: c.Music.GetHqMusicUrl(), ThumbMediaId: c.Music.GetThumbMediaId(),
		}}})
	case *wechatv1.Reply_News: // one card each
		var parts []*oauthv1.CustomMessage
		articles := c.News.GetArticles()
		for _, a := range articles[:min(maxParts, len(articles))] {
			parts = append(parts, &oauthv1.CustomMessage{Content: &oauthv1.CustomMessage_News{News: &oauthv1.CustomArticle{
				Title: a.GetTitle(), Description: a.GetDescription(), Url: a.GetUrl(), PicUrl: a.GetPicUrl(),
			}}})
		}
		return parts, nil
	}
	kind := reply.ProtoReflect().WhichOneof(reply.ProtoReflect().Descriptor().Oneofs().Get(0)).Name()
	return nil, fmt.Errorf("a %s can be answered while WeChat waits, and cannot follow", kind)
}

func singleMessage(m *oauthv1.CustomMessage) ([]*oauthv1.CustomMessage, error) {
	return []*oauthv1.CustomMessage{m}, nil
}

// splitText splits a text into parts that WeChat accepts: at ends of lines or at spaces if possible, and never inside a
// character. The end that does not fit into maxParts is replaced by "…".
func splitText(text string) []string {
	var parts []string
	for len(text) > maxPart {
		if len(parts) == maxParts-1 {
			const cut = "…"
			return append(parts, service.CutText(text, maxPart-len(cut))+cut)
		}
		end := len(service.CutText(text, maxPart))
		// Not too far back: a long line may have no break.
		if at := strings.LastIndexByte(text[:end], '\n'); at >= end/2 {
			end = at + 1
		} else if at := strings.LastIndexFunc(text[:end], isBreak); at >= end/2 {
			_, size := utf8.DecodeRuneInString(text[at:])
			end = at + size
		}
		if part := strings.TrimRight(text[:end], "\n"); part != "" {
			parts = append(parts, part)
		}
		text = text[end:]
	}
	if text != "" {
		parts = append(parts, text)
	}
	return parts
}

// isBreak reports whether a text may be split after a character.
func isBreak(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("。！？；，、", r) }
