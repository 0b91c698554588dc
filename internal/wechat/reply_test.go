package wechat

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	replyTo   = "oGateway0000000000000000001"
	replyFrom = "gh_0a1b2c3d4e5f"
	replyTime = 1767225601
)

func textReply(content string) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: content}}}
}

func newsReply(articles int) *wechatv1.Reply {
	news := &wechatv1.NewsReply{}
	for i := 1; i <= articles; i++ {
		news.Articles = append(news.Articles, &wechatv1.Article{
			Title: fmt.Sprintf("标题%d", i), Description: fmt.Sprintf("描述%d", i),
			PicUrl: fmt.Sprintf("https://example.com/%d.jpg", i), Url: fmt.Sprintf("https://example.com/%d?x=1&y=2", i),
		})
	}
	return &wechatv1.Reply{Content: &wechatv1.Reply_News{News: news}}
}

func transferReply(kfAccount string) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_TransferCustomerService{
		TransferCustomerService: &wechatv1.TransferCustomerServiceReply{KfAccount: kfAccount},
	}}
}

// replySamples are the replies that testdata/samples/replies shows, by file.
func replySamples() map[string]*wechatv1.Reply {
	music := func(m *wechatv1.MusicReply) *wechatv1.Reply {
		return &wechatv1.Reply{Content: &wechatv1.Reply_Music{Music: m}}
	}
	return map[string]*wechatv1.Reply{
		"text.xml":           textReply("你好\n第二行"),
		"text.cdata_end.xml": textReply("a]]>b & <c>"),
		"text.link.xml":      textReply(`<a href="https://example.com/?a=1&b=2">打开</a>`),
		"text.menu_link.xml": textReply(
			`请评价：<a href="weixin://bizmsgmenu?msgmenucontent=满意&msgmenuid=101">满意</a>`),
		"image.xml": {Content: &wechatv1.Reply_Image{Image: &wechatv1.ImageReply{MediaId: "sampleImageMediaId_01"}}},
		"voice.xml": {Content: &wechatv1.Reply_Voice{Voice: &wechatv1.VoiceReply{MediaId: "sampleVoiceMediaId_01"}}},
		"video.xml": {Content: &wechatv1.Reply_Video{Video: &wechatv1.VideoReply{
			MediaId: "sampleVideoMediaId_01", Title: "视频标题", Description: "视频描述",
		}}},
		"music.xml": music(&wechatv1.MusicReply{
			Title: "曲名", Description: "歌手", MusicUrl: "https://example.com/a.mp3",
			HqMusicUrl: "https://example.com/a-hq.mp3", ThumbMediaId: "sampleThumbMediaId_01",
		}),
		"music.thumb_only.xml":                  music(&wechatv1.MusicReply{ThumbMediaId: "sampleThumbMediaId_01"}),
		"news.xml":                              newsReply(1),
		"news.eight.xml":                        newsReply(8),
		"transfer_customer_service.xml":         transferReply(""),
		"transfer_customer_service.account.xml": transferReply("agent1@gh_sample"),
	}
}

func TestEncodeReplySamples(t *testing.T) {
	kinds := map[string]bool{}
	for file, reply := range replySamples() {
		got := EncodeReply(reply, replyTo, replyFrom, replyTime)
		if diff := cmp.Diff(string(sample(t, "replies", file)), string(got)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", file, diff)
		}
		kinds[fmt.Sprintf("%T", reply.GetContent())] = true
	}
	if want := (&wechatv1.Reply{}).ProtoReflect().Descriptor().Fields().Len(); len(kinds) != want {
		t.Errorf("the samples show %d kinds of %d", len(kinds), want)
	}
}

func TestEncodeReplyNothing(t *testing.T) {
	for name, reply := range map[string]*wechatv1.Reply{
		"nil":                     nil,
		"no content":              {},
		"no text":                 {Content: &wechatv1.Reply_Text{}},
		"an empty text":           textReply(""),
		"a blank text":            textReply(" \n\t\u3000\x00"),
		"control characters":      textReply("\x00\x01\x08\x0b\x0c\x1f"),
		"invalid UTF-8":           textReply("\xff\xc0\x80\xed\xa0\x80"),
		"characters XML has none": textReply("\ufffe\uffff"),
	} {
		if got := EncodeReply(reply, replyTo, replyFrom, replyTime); got != nil {
			t.Errorf("%s: %s, want nil", name, got)
		}
	}
	// What is not blank is said: WeChat decides what it shows.
	for _, text := range []string{"\ufffd", "]]>", "]]"} {
		if EncodeReply(textReply(text), replyTo, replyFrom, replyTime) == nil {
			t.Errorf("%q: nil", text)
		}
	}
}

// A reply without its parts is still well-formed: Validate is there to find it.
func TestEncodeReplyWithoutParts(t *testing.T) {
	for name, reply := range map[string]*wechatv1.Reply{
		"<Image><MediaId><![CDATA[]]></MediaId></Image>":           {Content: &wechatv1.Reply_Image{}},
		"<Voice><MediaId><![CDATA[]]></MediaId></Voice>":           {Content: &wechatv1.Reply_Voice{}},
		"<Video><MediaId><![CDATA[]]></MediaId></Video>":           {Content: &wechatv1.Reply_Video{}},
		"<Music><ThumbMediaId><![CDATA[]]></ThumbMediaId></Music>": {Content: &wechatv1.Reply_Music{}},
		"<ArticleCount>0</ArticleCount><Articles></Articles>":      {Content: &wechatv1.Reply_News{}},
		"transfer_customer_service":                                {Content: &wechatv1.Reply_TransferCustomerService{}},
	} {
		got := EncodeReply(reply, replyTo, replyFrom, replyTime)
		if _, err := stdTree(got); err != nil || !strings.Contains(string(got), name) {
			t.Errorf("%v in %s, want %s", err, got, name)
		}
	}
}

func TestEncodeReplyText(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"]]>", "]]]]><![CDATA[>"},
		{"]]>]]>", "]]]]><![CDATA[>]]]]><![CDATA[>"},
		{"]]]>>", "]]]]]><![CDATA[>>"},
		{"]]\x00>", "]]]]><![CDATA[>"},
		{"]\x00]\ufffe>\xff", "]]]]><![CDATA[>"},
		{"]] >", "]] >"},
		{"a\tb\r\nc", "a\tb\r\nc"},
		{"a\x00b\x7f\u0085c", "ab\x7f\u0085c"},
		{"a\ufffeb\uffffc\ufffdd\uf8ffe", "abc\ufffdd\uf8ffe"},
		{"a\xffb\xe4\xb8", "ab"},
		{"\xed\xa0\x80\U0010ffff\U00010000\ud7ff\ue000", "\U0010ffff\U00010000\ud7ff\ue000"},
		{"<![CDATA[&amp;", "<![CDATA[&amp;"},
	} {
		got := string(EncodeReply(textReply(test.text), "o", "gh", 1))
		want := "<xml><ToUserName><![CDATA[o]]></ToUserName><FromUserName><![CDATA[gh]]></FromUserName>" +
			"<CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[" + test.want +
			"]]></Content></xml>"
		if got != want {
			t.Errorf("%q:\n%s, want\n%s", test.text, got, want)
		}
	}
}

// xmlText returns what a text becomes on its way through an XML document and encoding/xml: without invalid UTF-8 and the
// characters that XML 1.0 forbids, and with "\n" for "\r\n" and "\r".
func xmlText(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 && !strings.ContainsRune("\t\n\r", r) || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// stdReply is a passive reply as encoding/xml reads it.
type stdReply struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   string
	FromUserName string
	CreateTime   int64
	MsgType      string
	Content      string
	Video        struct{ MediaId, Title, Description string }
	Music        struct{ Title, Description, MusicUrl, HQMusicUrl, ThumbMediaId string }
	ArticleCount int
	Articles     struct {
		Items []struct{ Title, Description, PicUrl, Url string } `xml:"item"`
	}
	TransInfo struct{ KfAccount string }
}

// checkTextReply fails unless the reply that says text is read back, by encoding/xml and by ourselves, as the text.
func checkTextReply(t *testing.T, text string) {
	t.Helper()
	got := EncodeReply(textReply(text), text, text, replyTime)
	want := xmlText(text)
	if strings.TrimSpace(want) == "" {
		if got != nil {
			t.Fatalf("%q: %s, want nil", text, got)
		}
		return
	}
	var r stdReply
	if err := xml.Unmarshal(got, &r); err != nil {
		t.Fatalf("%q: encoding/xml: %v", text, err)
	}
	if r.Content != want || r.ToUserName != want || r.FromUserName != want || r.MsgType != "text" || r.CreateTime != replyTime {
		t.Errorf("%q: encoding/xml reads %+v, want %q", text, r, want)
	}
	m, err := Decode(got)
	if err != nil {
		t.Fatalf("%q: Decode: %v", text, err)
	}
	if content := m.GetText().GetContent(); xmlText(content) != want || !utf8.ValidString(content) {
		t.Errorf("%q: Decode reads %q, want %q", text, content, want)
	}
}

// randomText is made of what is awkward, so that the awkward things meet.
func randomText(r *rand.Rand) string {
	parts := []string{
		"]", "]]", ">", "]]>", "<![CDATA[", "</Content>", "<b>", "&", "&amp;", " ", "\n", "\r", "\r\n", "\t", "\x00", "\x08",
		"\x1f", "\x7f", "a", "é", "世", "😀", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\xff", "\xc3", "\xed\xa0\x80", "\xe4\xb8",
	}
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

func TestEncodeReplyReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		checkTextReply(t, randomText(r))
	}
}

// The texts of every kind of reply are made safe, not just Content.
func TestEncodeReplyEveryField(t *testing.T) {
	const evil = "a]]></Title><MsgType>\x00]]\x01></MsgType>&\xff"
	read := func(reply *wechatv1.Reply) stdReply {
		var r stdReply
		if err := xml.Unmarshal(EncodeReply(reply, evil, evil, replyTime), &r); err != nil {
			t.Errorf("%T: %v", reply.GetContent(), err)
		}
		return r
	}
	want, all := xmlText(evil), []string(nil)
	video := read(&wechatv1.Reply{Content: &wechatv1.Reply_Video{Video: &wechatv1.VideoReply{
		MediaId: evil, Title: evil, Description: evil,
	}}})
	all = append(all, video.ToUserName, video.FromUserName, video.Video.MediaId, video.Video.Title, video.Video.Description)
	music := read(&wechatv1.Reply{Content: &wechatv1.Reply_Music{Music: &wechatv1.MusicReply{
		Title: evil, Description: evil, MusicUrl: evil, HqMusicUrl: evil, ThumbMediaId: evil,
	}}}).Music
	all = append(all, music.Title, music.Description, music.MusicUrl, music.HQMusicUrl, music.ThumbMediaId)
	news := read(&wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: []*wechatv1.Article{
		nil, {Title: evil, Description: evil, PicUrl: evil, Url: evil},
	}}}})
	if news.ArticleCount != 2 || len(news.Articles.Items) != 2 {
		t.Fatalf("ArticleCount %d, %d items, want 2", news.ArticleCount, len(news.Articles.Items))
	}
	article := news.Articles.Items[1]
	all = append(all, article.Title, article.Description, article.PicUrl, article.Url)
	all = append(all, read(transferReply(evil)).TransInfo.KfAccount)
	for i, got := range all {
		if got != want {
			t.Errorf("text %d is %q, want %q", i, got, want)
		}
	}
}
