package wechat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// userMessage adds to m what all messages among the samples have in common.
func userMessage(msgType string, m *wechatv1.Message) *wechatv1.Message {
	m.ToUserName, m.FromUserName = "gh_0a1b2c3d4e5f", "oGateway0000000000000000001"
	m.CreateTime, m.MsgType, m.MsgId = 1767225600, msgType, 24817263549081736
	return m
}

// eventMessage puts e into a message, with what all events among the samples have in common.
func eventMessage(e *wechatv1.Event) *wechatv1.Message {
	m := userMessage("event", &wechatv1.Message{Content: &wechatv1.Message_Event{Event: e}})
	m.MsgId = 0
	return m
}

func text(content string) *wechatv1.Message {
	return &wechatv1.Message{Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: content}}}
}

// typedSamples are the samples of the kinds that programs need most, by file, written by hand.
func typedSamples(t testing.TB) map[string]*wechatv1.Message {
	t.Helper()
	fromArticle := text("来自文章的留言")
	fromArticle.MsgDataId, fromArticle.Idx = "2651398017_1", 1
	compat := text("hello 世界 & <b> 😀")
	compat.Extra = []*wechatv1.Element{{Name: "Encrypt", Text: vectorOf(t, "own-text").Encrypt}}
	voice := func(v *wechatv1.Voice) *wechatv1.Message {
		return userMessage("voice", &wechatv1.Message{Content: &wechatv1.Message_Voice{Voice: v}})
	}
	subscribe := func(key string, e *wechatv1.SubscribeEvent) *wechatv1.Message {
		return eventMessage(&wechatv1.Event{
			Event: "subscribe", EventKey: key, Kind: &wechatv1.Event_Subscribe{Subscribe: e},
		})
	}
	return map[string]*wechatv1.Message{
		"msg.text.xml":              userMessage("text", text("hello 世界 & <b> 😀")),
		"msg.text.cdata_end.xml":    userMessage("text", text("a]]>b")),
		"msg.text.from_article.xml": userMessage("text", fromArticle),
		"msg.text.unsupported.xml":  userMessage("text", text("【收到不支持的消息类型，暂无法显示】")),
		"envelope.compat.xml":       userMessage("text", compat),
		"msg.text.bizmsgmenuid.xml": userMessage("text", &wechatv1.Message{Content: &wechatv1.Message_Text{
			Text: &wechatv1.Text{Content: "满意", Bizmsgmenuid: "101"},
		}}),
		"msg.image.xml": userMessage("image", &wechatv1.Message{Content: &wechatv1.Message_Image{
			Image: &wechatv1.Image{PicUrl: "http://mmbiz.qpic.cn/mmbiz_jpg/sample/0", MediaId: "sampleImageMediaId_01"},
		}}),
		"msg.voice.xml": voice(&wechatv1.Voice{
			MediaId: "sampleVoiceMediaId_01", Format: "amr", MediaId_16K: "sampleVoiceMediaId16K_01",
		}),
		"msg.voice.recognition_empty.xml": voice(&wechatv1.Voice{MediaId: "sampleVoiceMediaId_02", Format: "amr"}),
		"msg.voice.recognition_legacy.xml": voice(&wechatv1.Voice{
			MediaId: "sampleVoiceMediaId_03", Format: "amr", Recognition: "今天天气怎么样",
		}),
		"msg.video.xml": userMessage("video", &wechatv1.Message{Content: &wechatv1.Message_Video{
			Video: &wechatv1.Video{MediaId: "sampleVideoMediaId_01", ThumbMediaId: "sampleThumbMediaId_01"},
		}}),
		"msg.shortvideo.xml": userMessage("shortvideo", &wechatv1.Message{Content: &wechatv1.Message_Shortvideo{
			Shortvideo: &wechatv1.Video{MediaId: "sampleVideoMediaId_02", ThumbMediaId: "sampleThumbMediaId_02"},
		}}),
		"msg.location.xml": userMessage("location", &wechatv1.Message{Content: &wechatv1.Message_Location{
			Location: &wechatv1.Location{
				LocationX: "31.230416", LocationY: "121.473701", Scale: "16", Label: "上海市黄浦区人民大道200号",
			},
		}}),
		"msg.link.xml": userMessage("link", &wechatv1.Message{Content: &wechatv1.Message_Link{
			Link: &wechatv1.Link{Title: "示例标题", Description: "示例描述", Url: "https://example.com/a?b=1&c=2"},
		}}),
		"event.subscribe.xml": subscribe("", &wechatv1.SubscribeEvent{}),
		"event.subscribe.qrscene.xml": subscribe("qrscene_campaign-42", &wechatv1.SubscribeEvent{
			Scene: "campaign-42", Ticket: "gQTICKET01",
		}),
		"event.subscribe.last_trade_no.xml": subscribe("last_trade_no_4000000000202601010000000001",
			&wechatv1.SubscribeEvent{}),
		"event.subscribe.scanbarcode.xml": subscribe("scanbarcode|ean13|4006381333931|ext-1", &wechatv1.SubscribeEvent{}),
		"event.unsubscribe.xml": eventMessage(&wechatv1.Event{
			Event: "unsubscribe", Kind: &wechatv1.Event_Unsubscribe{Unsubscribe: &wechatv1.UnsubscribeEvent{}},
		}),
		"event.SCAN.xml": eventMessage(&wechatv1.Event{
			Event: "SCAN", EventKey: "campaign-42",
			Kind: &wechatv1.Event_Scan{Scan: &wechatv1.ScanEvent{Scene: "campaign-42", Ticket: "gQTICKET01"}},
		}),
		"event.LOCATION.xml": eventMessage(&wechatv1.Event{
			Event: "LOCATION",
			Kind: &wechatv1.Event_Location{Location: &wechatv1.LocationEvent{
				Latitude: "31.230416", Longitude: "121.473701", Precision: "65.000000",
			}},
		}),
		"event.CLICK.xml": eventMessage(&wechatv1.Event{
			Event: "CLICK", EventKey: "V1_HELP", Kind: &wechatv1.Event_Click{Click: &wechatv1.ClickEvent{}},
		}),
		"event.VIEW.xml": eventMessage(&wechatv1.Event{
			Event: "VIEW", EventKey: "https://example.com/menu?x=1&y=2",
			Kind: &wechatv1.Event_View{View: &wechatv1.ViewEvent{MenuId: "430000001"}},
		}),
	}
}

func TestDecodeTypedSamples(t *testing.T) {
	for file, want := range typedSamples(t) {
		t.Run(file, func(t *testing.T) {
			got, err := Decode(sample(t, "inbound", file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Our tree of a document is that of encoding/xml, in every sample.
func TestTreeOfSamples(t *testing.T) {
	for _, file := range inbound(t) {
		body := sample(t, "inbound", file)
		want, err := stdTree(body)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		d, err := Parse(body)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if diff := cmp.Diff(want, d.genericElement(0), protocmp.Transform()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", file, diff)
		}
	}
}

func TestDocumentText(t *testing.T) {
	d, err := Parse([]byte("<xml><a><Encrypt>inner</Encrypt></a><Encrypt>\n <![CDATA[one]]> \t</Encrypt>" +
		"<Encrypt>two</Encrypt><b/></xml>"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		ok         bool
	}{
		{"Encrypt", "one", true},
		{"b", "", true},
		{"encrypt", "", false},
		{"missing", "", false},
		{"xml", "", false},
	} {
		if got, ok := d.Text(test.name); got != test.want || ok != test.ok {
			t.Errorf("%s: %q, %t; want %q, %t", test.name, got, ok, test.want, test.ok)
		}
	}
}

// A document's room is used again for the next: what was read from the first stays as it was, also beyond the room.
func TestDocumentsKeepApart(t *testing.T) {
	read := func(i int) *wechatv1.Message {
		body := fmt.Sprintf("<xml><MsgType>text</MsgType><Content>%d &amp; %d</Content>%s</xml>", i, i, strings.Repeat(fmt.Sprintf("<more>%d</more>", i), i))
		m, err := Decode([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var messages []*wechatv1.Message
	for i := range 60 {
		messages = append(messages, read(i))
	}
	for i, m := range messages {
		if want := fmt.Sprintf("%d & %d", i, i); m.GetText().GetContent() != want || len(m.GetExtra()) != i {
			t.Errorf("message %d: %v", i, m)
		}
		for _, e := range m.GetExtra() {
			if e.GetText() != fmt.Sprint(i) {
				t.Errorf("message %d: %v", i, e)
			}
		}
	}
}
