package wechatapi

import (
	"fmt"
	"strings"

	oauthv1 "wxgate/proto/oauth/v1"
)

// CustomMessage returns the payload of SendMessage (platform.md F.3), or the error of a message that lacks something.
func CustomMessage(openid string, m *oauthv1.CustomMessage) (map[string]any, error) {
	msgtype, content, err := customContent(m)
	if err != nil {
		return nil, err
	}
	payload := map[string]any{"touser": openid, "msgtype": msgtype, msgtype: cleanTexts(content)}
	if m.GetKfAccount() != "" {
		payload["customservice"] = map[string]any{"kf_account": m.GetKfAccount()}
	}
	return payload, nil
}

func customContent(m *oauthv1.CustomMessage) (msgtype string, content map[string]any, err error) {
	switch c := m.GetContent().(type) {
	case *oauthv1.CustomMessage_Text:
		return "text", map[string]any{"content": c.Text}, requireTexts("message.text", c.Text)
	case *oauthv1.CustomMessage_Image:
		return "image", map[string]any{"media_id": c.Image}, requireTexts("message.image", c.Image)
	case *oauthv1.CustomMessage_Voice:
		return "voice", map[string]any{"media_id": c.Voice}, requireTexts("message.voice", c.Voice)
	case *oauthv1.CustomMessage_Video:
		v := c.Video
		return "video", map[string]any{"media_id": v.GetMediaId(), "thumb_media_id": v.GetThumbMediaId(), "title": v.GetTitle(), "description": v.GetDescription()},
			requireTexts("message.video.media_id", v.GetMediaId())
	case *oauthv1.CustomMessage_Music:
		v := c.Music
		return "music", map[string]any{"title": v.GetTitle(), "description": v.GetDescription(), "musicurl": v.GetMusicUrl(), "hqmusicurl": v.GetHqMusicUrl(), "thumb_media_id": v.GetThumbMediaId()},
			requireTexts("message.music.music_url", v.GetMusicUrl(), "message.music.hq_music_url", v.GetHqMusicUrl(), "message.music.thumb_media_id", v.GetThumbMediaId())
	case *oauthv1.CustomMessage_News:
		v := c.News
		return "news", map[string]any{"articles": []any{map[string]any{"title": v.GetTitle(), "description": v.GetDescription(), "url": v.GetUrl(), "picurl": v.GetPicUrl()}}},
			requireTexts("message.news.title", v.GetTitle(), "message.news.url", v.GetUrl())
	case *oauthv1.CustomMessage_Mpnews:
		return "mpnews", map[string]any{"media_id": c.Mpnews}, requireTexts("message.mpnews", c.Mpnews)
	case *oauthv1.CustomMessage_Mpnewsarticle:
		return "mpnewsarticle", map[string]any{"article_id": c.Mpnewsarticle}, requireTexts("message.mpnewsarticle", c.Mpnewsarticle)
	case *oauthv1.CustomMessage_Msgmenu:
		content, err := customMenu(c.Msgmenu)
		return "msgmenu", content, err
	case *oauthv1.CustomMessage_Wxcard:
		return "wxcard", map[string]any{"card_id": c.Wxcard}, requireTexts("message.wxcard", c.Wxcard)
	case *oauthv1.CustomMessage_Miniprogrampage:
		v := c.Miniprogrampage
		return "miniprogrampage", map[string]any{"title": v.GetTitle(), "appid": v.GetAppId(), "pagepath": v.GetPagePath(), "thumb_media_id": v.GetThumbMediaId()},
			requireTexts("message.miniprogrampage.title", v.GetTitle(), "message.miniprogrampage.app_id", v.GetAppId(),
				"message.miniprogrampage.page_path", v.GetPagePath(), "message.miniprogrampage.thumb_media_id", v.GetThumbMediaId())
	}
	return "", nil, InvalidRequest("message: missing, but required: text, image or another kind")
}

func customMenu(m *oauthv1.CustomMenu) (map[string]any, error) {
	var fields []string
	var list []any
	for i, item := range m.GetList() {
		at := fmt.Sprintf("message.msgmenu.list[%d].", i)
		fields = append(fields, at+"id", item.GetId(), at+"content", item.GetContent())
		list = append(list, map[string]any{"id": item.GetId(), "content": item.GetContent()})
	}
	if len(list) == 0 {
		return nil, InvalidRequest("message.msgmenu.list: missing, but required")
	}
	return map[string]any{"head_content": m.GetHeadContent(), "list": list, "tail_content": m.GetTailContent()}, requireTexts(fields...)
}

// requireTexts takes names and values in turn, and returns an error that names the first empty one.
func requireTexts(fields ...string) error {
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] == "" {
			return InvalidRequest(fields[i] + ": missing, but required")
		}
	}
	return nil
}

// cleanTexts removes from texts the characters that Go's JSON escapes as \uXXXX: WeChat refuses such escapes or shows them as
// they are (platform.md F.3).
func cleanTexts(value any) any {
	switch v := value.(type) {
	case string:
		return strings.Map(func(r rune) rune {
			switch {
			case r == '\u2028', r == '\u2029':
				return '\n'
			case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == '\x7f':
				return -1
			}
			return r
		}, strings.ToValidUTF8(v, ""))
	case []any:
		for i := range v {
			v[i] = cleanTexts(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = cleanTexts(v[key])
		}
	}
	return value
}
