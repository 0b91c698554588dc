package replier

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/status"

	wechatv1 "wxgate/proto/wechat/v1"
)

func statusCode(err error) string { return status.Code(err).String() }

func TestSplitText(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"empty":          {"", nil},
		"short":          {"hello", []string{"hello"}},
		"as long as one": {strings.Repeat("a", maxPart), []string{strings.Repeat("a", maxPart)}},
		"lines":          {strings.Repeat("a", 2000) + "\n\n" + strings.Repeat("b", 100), []string{strings.Repeat("a", 2000), strings.Repeat("b", 100)}},
		"sentences":      {strings.Repeat("好", 600) + "。" + strings.Repeat("坏", 200), []string{strings.Repeat("好", 600) + "。", strings.Repeat("坏", 200)}},
		"no break":       {strings.Repeat("好", 1000), []string{strings.Repeat("好", 682), strings.Repeat("好", 318)}},
	} {
		if got := splitText(tt.text); strings.Join(got, "|") != strings.Join(tt.want, "|") {
			t.Errorf("%s: %d parts %.80q; want %d", name, len(got), got, len(tt.want))
		}
	}
	long := splitText(strings.Repeat("好", 10_000))
	if len(long) != maxParts || !strings.HasSuffix(long[maxParts-1], "好…") {
		t.Errorf("%d parts, the last ends with %q", len(long), long[len(long)-1][len(long[len(long)-1])-6:])
	}
}

// FuzzSplitText: no part is longer than WeChat takes or broken, and nothing but line breaks between parts is lost, unless
// there is more than WeChat takes at all.
func FuzzSplitText(f *testing.F) {
	for _, seed := range []string{"", "hello", strings.Repeat("好。", 700), strings.Repeat("line\n", 900), strings.Repeat("\n", 3000), strings.Repeat("😀", 3000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts := splitText(text)
		cut := len(parts) == maxParts && strings.HasSuffix(parts[maxParts-1], "…")
		rest := text
		for i, part := range parts {
			if len(part) > maxPart || part == "" || utf8.ValidString(text) && !utf8.ValidString(part) {
				t.Fatalf("part %d: %d bytes, %.50q", i, len(part), part)
			}
			if cut && i == maxParts-1 {
				part = strings.TrimSuffix(part, "…")
			}
			rest = strings.TrimLeft(rest, "\n")
			var found bool
			if rest, found = strings.CutPrefix(rest, strings.TrimLeft(part, "\n")); !found {
				t.Fatalf("part %d is not what follows", i)
			}
		}
		if !cut && strings.Trim(rest, "\n") != "" {
			t.Errorf("%d bytes are lost", len(rest))
		}
	})
}

// TestCustomMessages: what each kind of reply is as customer-service messages.
func TestCustomMessages(t *testing.T) {
	articles := func(n int) *wechatv1.Reply {
		news := &wechatv1.NewsReply{}
		for range n {
			news.Articles = append(news.Articles, &wechatv1.Article{Title: "t", Description: "d", PicUrl: "p", Url: "u"})
		}
		return &wechatv1.Reply{Content: &wechatv1.Reply_News{News: news}}
	}
	for name, tt := range map[string]struct {
		reply *wechatv1.Reply
		want  string // of the first
		parts int
	}{
		"text":  {says("a"), `text:"a"`, 1},
		"image": {&wechatv1.Reply{Content: &wechatv1.Reply_Image{Image: &wechatv1.ImageReply{MediaId: "m"}}}, `image:"m"`, 1},
		"voice": {&wechatv1.Reply{Content: &wechatv1.Reply_Voice{Voice: &wechatv1.VoiceReply{MediaId: "m"}}}, `voice:"m"`, 1},
		"video": {&wechatv1.Reply{Content: &wechatv1.Reply_Video{Video: &wechatv1.VideoReply{MediaId: "m", Title: "t", Description: "d"}}}, `video:{media_id:"m" title:"t" description:"d"}`, 1},
		"music": {&wechatv1.Reply{Content: &wechatv1.Reply_Music{Music: &wechatv1.MusicReply{Title: "t", Description: "d", MusicUrl: "u", HqMusicUrl: "h", ThumbMediaId: "m"}}},
			`music:{title:"t" description:"d" music_url:"u" hq_music_url:"h" thumb_media_id:"m"}`, 1},
		"news":      {articles(2), `news:{title:"t" description:"d" url:"u" pic_url:"p"}`, 2},
		"many news": {articles(8), `news:{title:"t" description:"d" url:"u" pic_url:"p"}`, 5},
	} {
		parts, err := customMessages(tt.reply)
		if err != nil || len(parts) != tt.parts {
			t.Errorf("%s: %d parts, %v; want %d", name, len(parts), err, tt.parts)
			continue
		}
		if got := strings.ReplaceAll(parts[0].String(), "  ", " "); got != tt.want {
			t.Errorf("%s: %s; want %s", name, got, tt.want)
		}
	}
	_, err := customMessages(&wechatv1.Reply{Content: &wechatv1.Reply_TransferCustomerService{TransferCustomerService: &wechatv1.TransferCustomerServiceReply{}}})
	if err == nil || !strings.Contains(err.Error(), "transfer_customer_service") {
		t.Errorf("got %v", err)
	}
}
