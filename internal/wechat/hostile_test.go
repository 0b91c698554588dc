package wechat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// callback is a text message's body as WeChat lays it out, with content where the Content element stands.
func callback(content string) string {
	return "<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName>\n" +
		"<FromUserName><![CDATA[oGateway0000000000000000001]]></FromUserName>\n" +
		"<CreateTime>1767225600</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n" +
		content + "\n<MsgId>24817263549081736</MsgId>\n</xml>"
}

// saying is the body of a text message, without a care for what the text does to its CDATA section.
func saying(text string) string { return callback("<Content><![CDATA[" + text + "]]></Content>") }

func elem(name, text string, children ...*wechatv1.Element) *wechatv1.Element {
	return &wechatv1.Element{Name: name, Text: text, Children: children}
}

// said is the message of callback and saying.
func said(content string, extra ...*wechatv1.Element) *wechatv1.Message {
	m := userMessage("text", text(content))
	m.Extra = extra
	return m
}

func checkDecode(t *testing.T, body string, want *wechatv1.Message) {
	t.Helper()
	got, err := Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A text comes out as it went in, whatever it looks like.
func TestDecodeText(t *testing.T) {
	for _, text := range []string{
		"", " ", " \n\tblanks around \n", "\r\n", "]", "]]", "a]", "a]]", "]>", "> ]] >",
		"<b>", "</Content>", "</xml>", "<FromUserName>x</FromUserName>", "&", "&amp;", "&lt;b&gt;", "&#65;",
		"<!DOCTYPE html>", "<!--", "-->", "<?xml?>", "<![CDATA[", "<![CDATA[x",
		"a\x00b", "\x00", "\x01\x08\x0b\x0c\x1b\x1f\x7f", "\u0085\u2028\ufffd\ufffe\uffff", "\U0010ffff", "世界😀", "\ufeff",
		// Here the text ends its section too early, and what follows makes the document malformed.
		"a]]>b", "]]>", "]]>]]>", "a]]> ", " ]]>b", "]]]>", "]]]]>>", "a]]>b]]>c",
		"a]]><b>", "a]]>&", "a]]>&amp;", "a]]><b>&</b>", "a]]></b>", "a]]></xml>", "a]]></xml>\n<xml>",
		"a]]><", "a]]><!-- ", "a]]><!x>", "a]]><?x", "a]]><b", "a]]><b c='", "a]]><1>", "a]]></Content",
		"a]]><Content>", "a]]><FromUserName>oForged", "a]]></FromUserName>", "a]]>\x00",
		"]]></Content ]]></Content2>", "a]]><!doctype xml>", "]]><!DOCTYPE html><html></html>",
		// Here it does not: the text begins a section of its own.
		"]]><b>x</b><![CDATA[", "a]]><b>x</b><![CDATA[b", "]]><b/><![CDATA[", "]]> <b/> <![CDATA[", "]]><b><![CDATA[c]]></b><![CDATA[",
		"a]]><FromUserName>oForged</FromUserName><![CDATA[b", "]]><Content>x</Content><![CDATA[", "]]><!-- c --><![CDATA[", "]]><?p?><![CDATA[",
		"a]]>b<![CDATA[c", "]]>&lt;<![CDATA[", "]]>&<b/><![CDATA[>", "]]><a><![CDATA[]]></a>]]<![CDATA[>", "<b>]]><i/><![CDATA[</b>",
	} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) { checkDecode(t, saying(text), said(text)) })
	}
}

// A text that breaks out of its element so well that the document is in order forges nothing: what it adds comes second.
func TestDecodeForged(t *testing.T) {
	tests := []struct {
		name, text string
		want       *wechatv1.Message
	}{
		{
			"the element's end", "a]]></Content>",
			said("a"),
		},
		{
			"the element's end, and a sender", "a]]></Content><FromUserName>oForged</FromUserName>",
			said("a", elem("FromUserName", "oForged")),
		},
		{
			"sender", "a]]></Content><FromUserName><![CDATA[oForged]]></FromUserName><Content><![CDATA[b",
			said("a", elem("FromUserName", "oForged"), elem("Content", "b")),
		},
		{
			"type", "a]]></Content><MsgType>event</MsgType><Event>subscribe</Event><Content><![CDATA[b",
			said("a", elem("MsgType", "event"), elem("Event", "subscribe"), elem("Content", "b")),
		},
		{
			"sender, and the rest is mended",
			"a]]></Content><FromUserName>oForged</FromUserName><Content><![CDATA[b]]><c>",
			said("a", elem("FromUserName", "oForged"), elem("Content", "b]]><c>")),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.want.GetMsgType() == "" {
				test.want = userMessage("text", test.want)
			}
			checkDecode(t, saying(test.text), test.want)
		})
	}

	t.Run("end of the document", func(t *testing.T) {
		want := said("a")
		want.MsgId = 0
		checkDecode(t, saying("a]]></Content></xml><xml><FromUserName>oForged</FromUserName><Content><![CDATA["), want)
	})
	t.Run("an element that never ends", func(t *testing.T) {
		if got, err := Decode([]byte(saying("a]]></Content><b>"))); err == nil {
			t.Errorf("got %v, want a refusal", got)
		}
	})
}

func TestDecodeTolerates(t *testing.T) {
	bare := func(inner string) string { return "<xml>" + inner + "</xml>" }
	unknown := func(m *wechatv1.Message) *wechatv1.Message {
		m.Content = &wechatv1.Message_Unknown{Unknown: &wechatv1.Unknown{}}
		return m
	}
	tests := []struct {
		name, body string
		want       *wechatv1.Message
	}{
		{"duplicates", callback("<Content>1</Content><Content>2</Content><MsgType>event</MsgType><Content>3</Content>"),
			said("1", elem("Content", "2"), elem("MsgType", "event"), elem("Content", "3"))},
		{"a duplicate of an empty element", callback("<Content/><Content>2</Content>"), said("", elem("Content", "2"))},
		{"an element with children is no field", callback("<Content>a<b>c</b>d</Content>"),
			said("", elem("Content", "ad", elem("b", "c")))},
		{"names are told apart by case", callback("<content>1</content><CONTENT>2</CONTENT>"),
			said("", elem("content", "1"), elem("CONTENT", "2"))},

		{"invalid UTF-8", saying("a\xffb\xed\xa0\x80\xc0\x80c\xe4\xb8"), said("a\ufffdb\ufffdc\ufffd")},
		{"byte order mark", "\ufeff" + saying("a"), said("a")},
		{"declaration", "<?xml version='1.0' encoding='utf-8'?>\r\n" + saying("世"), said("世")},
		{"declaration, in another spelling", "<?xml version=\"1.0\" encoding=\"UTF8\" ?>" + saying("世"), said("世")},
		{"a declaration where none counts", callback("<Content>a<?xml version='1.0' encoding='GBK'?></Content>"), said("a")},
		{"all of a prolog", "\ufeff<?xml version=\"1.0\"?><?p?>\n<!-- <xml> -- & ]]> -->\t" + saying("a"), said("a")},
		{"a comment that only ends later", "<!--> <xml></xml> -->" + saying("a"), said("a")},
		{"what follows the root", saying("a") + "<xml>\x00]]><", said("a")},

		{"comments and instructions inside", callback("<!-- <Content>0 --><Content>a<!--b-->c<?d <e>?>f</Content><?g?>"),
			said("acf")},
		{"entities", callback("<Content>&lt;&gt;&amp;&apos;&quot;&amp;lt;</Content>"), said("<>&'\"&lt;")},
		{"character references", callback("<Content>&#65;&#x4E16;&#x1f600;&#10;&#010;&#0;</Content>"), said("A世😀\n\n\x00")},
		{"references to no character", callback("<Content>&#xD800;&#x110000;&#xFFFFFFFF;</Content>"),
			said("\ufffd\ufffd\ufffd")},
		{"what is no reference", callback("<Content>&&;&nbsp;&LT;&#;&#x;&#X41;&#-1;&#0x41;&#4294967296;&amp &lt</Content>"),
			said("&&;&nbsp;&LT;&#;&#x;&#X41;&#-1;&#0x41;&#4294967296;&amp &lt")},
		{"a reference cut by markup", callback("<Content>&am<!---->p;</Content>"), said("&amp;")},
		{"CDATA and text mixed", callback("<Content>a&lt;<![CDATA[&lt;]]>b<![CDATA[]]><![CDATA[c]]></Content>"),
			said("a<&lt;bc")},

		{"attributes", callback("<Content a='>' b=\"</Content>'/\" c = d\n e>x</Content >"), said("x")},
		{"attributes of the root", strings.Replace(saying("a"), "<xml>", "<xml xmlns='x' y=\"/>\">", 1), said("a")},
		{"self-closing", callback("<Content/><Extra a='b'/><More /><Most\n/>"),
			said("", elem("Extra", ""), elem("More", ""), elem("Most", ""))},
		{"mended inside another element", callback("<Info><Label><![CDATA[a]]><b>&]]></Label><c>d</c></Info>"),
			said("", elem("Info", "", elem("Label", "a]]><b>&"), elem("c", "d")))},

		{"mended between blanks", callback("<Content>\n <![CDATA[ a]]>b ]]> \n</Content>"), said(" a]]>b ")},

		{"blanks around identifiers", bare("<FromUserName>\n <![CDATA[ o1 ]]> \t</FromUserName><MsgType> \r\ntext </MsgType>" +
			"<CreateTime>\n7\n</CreateTime><MsgId> 8 </MsgId><Idx>\t9</Idx><bizmsgmenuid> 1 </bizmsgmenuid>"),
			&wechatv1.Message{
				FromUserName: "o1", MsgType: "text", CreateTime: 7, MsgId: 8, Idx: 9,
				Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Bizmsgmenuid: "1"}},
			}},
		{"blanks around words", callback("<Content>\n <![CDATA[ a ]]> \t</Content>"), said("\n  a  \t")},
		{"MsgType in another case", bare("<MsgType>TEXT</MsgType><Content>a</Content>"), &wechatv1.Message{
			MsgType: "TEXT", Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: "a"}},
		}},
		{"Event in another case", bare("<MsgType>Event</MsgType><Event>Scan</Event><EventKey>7</EventKey>"),
			&wechatv1.Message{MsgType: "Event", Content: &wechatv1.Message_Event{Event: &wechatv1.Event{
				Event: "Scan", EventKey: "7", Kind: &wechatv1.Event_Scan{Scan: &wechatv1.ScanEvent{Scene: "7"}},
			}}}},
		{"an event without a name", bare("<MsgType>event</MsgType><EventKey>7</EventKey>"),
			&wechatv1.Message{MsgType: "event", Content: &wechatv1.Message_Event{Event: &wechatv1.Event{
				EventKey: "7", Kind: &wechatv1.Event_Unknown{Unknown: &wechatv1.UnknownEvent{}},
			}}}},
		{"no MsgType", bare("<ToUserName>gh_1</ToUserName><Content>a</Content><Event>subscribe</Event>"),
			unknown(&wechatv1.Message{
				ToUserName: "gh_1", Extra: []*wechatv1.Element{elem("Content", "a"), elem("Event", "subscribe")},
			})},
		{"an empty root", "<xml/>", unknown(&wechatv1.Message{})},
		{"text in the root", "<xml> a </xml>", unknown(&wechatv1.Message{})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { checkDecode(t, test.body, test.want) })
	}
}

// Blanks around identifiers, keys and decimals are layout; those around words are the user's.
func TestDecodeBlanks(t *testing.T) {
	for _, test := range []struct {
		msgType, elements string
		want              *wechatv1.Message
	}{
		{"text", "Content bizmsgmenuid", &wechatv1.Message{Content: &wechatv1.Message_Text{
			Text: &wechatv1.Text{Content: " x\n", Bizmsgmenuid: "x"},
		}}},
		{"image", "PicUrl MediaId", &wechatv1.Message{Content: &wechatv1.Message_Image{
			Image: &wechatv1.Image{PicUrl: "x", MediaId: "x"},
		}}},
		{"voice", "MediaId Format Recognition MediaId16K", &wechatv1.Message{Content: &wechatv1.Message_Voice{
			Voice: &wechatv1.Voice{MediaId: "x", Format: "x", Recognition: " x\n", MediaId_16K: "x"},
		}}},
		{"video", "MediaId ThumbMediaId", &wechatv1.Message{Content: &wechatv1.Message_Video{
			Video: &wechatv1.Video{MediaId: "x", ThumbMediaId: "x"},
		}}},
		{"location", "Location_X Location_Y Scale Label", &wechatv1.Message{Content: &wechatv1.Message_Location{
			Location: &wechatv1.Location{LocationX: "x", LocationY: "x", Scale: "x", Label: " x\n"},
		}}},
		{"link", "Title Description Url", &wechatv1.Message{Content: &wechatv1.Message_Link{
			Link: &wechatv1.Link{Title: " x\n", Description: " x\n", Url: "x"},
		}}},
		{"other", "ToUserName MsgDataId Other", &wechatv1.Message{
			ToUserName: "x", MsgDataId: "x", Extra: []*wechatv1.Element{elem("Other", " x\n")},
			Content: &wechatv1.Message_Unknown{Unknown: &wechatv1.Unknown{}},
		}},
	} {
		t.Run(test.msgType, func(t *testing.T) {
			body := "<xml><MsgType> " + test.msgType + "\n</MsgType>"
			for name := range strings.FieldsSeq(test.elements) {
				body += "<" + name + "><![CDATA[ x\n]]></" + name + ">"
			}
			test.want.MsgType = test.msgType
			checkDecode(t, body+"</xml>", test.want)
		})
	}
}

// A number that does not fit is not a number: its field stays unset, and its text is kept.
func TestDecodeNumbers(t *testing.T) {
	tests := []struct {
		name, text string
		want       int64
		fits       bool
	}{
		{"Idx", "2147483647", 1<<31 - 1, true},
		{"Idx", "-2147483648", -1 << 31, true},
		{"Idx", "2147483648", 0, false},
		{"Idx", "4294967297", 0, false},
		{"Idx", "-2147483649", 0, false},
		{"MsgId", "9223372036854775807", 1<<63 - 1, true},
		{"MsgId", "9223372036854775808", 0, false},
		{"MsgId", "-9223372036854775809", 0, false},
		{"MsgId", "abc", 0, false},
		{"MsgId", "1.0", 0, false},
		{"MsgId", "1e3", 0, false},
		{"MsgId", "0x10", 0, false},
		{"MsgId", "1_000", 0, false},
		{"MsgId", "1 2", 0, false},
		{"MsgId", "1\x00", 0, false},
		// Numbers that an integer would write otherwise: the text would be lost.
		{"MsgId", "007", 0, false},
		{"MsgId", "+7", 0, false},
		{"MsgId", "-0", 0, false},
		{"MsgId", "0", 0, false},
		{"MsgId", "", 0, true},
		{"MsgId", " \n", 0, true},
		{"CreateTime", "-1", -1, true},
		{"CreateTime", "１２", 0, false},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.text, func(t *testing.T) {
			// The second one is a duplicate, whether the first fits or not.
			e := fmt.Sprintf("<%s>%s</%[1]s><%[1]s>5</%[1]s>", test.name, test.text)
			want := &wechatv1.Message{Content: &wechatv1.Message_Unknown{Unknown: &wechatv1.Unknown{}}}
			if !test.fits {
				want.Extra = append(want.Extra, elem(test.name, test.text))
			}
			want.Extra = append(want.Extra, elem(test.name, "5"))
			switch test.name {
			case "Idx":
				want.Idx = int32(test.want)
			case "MsgId":
				want.MsgId = test.want
			case "CreateTime":
				want.CreateTime = test.want
			}
			checkDecode(t, "<xml>"+e+"</xml>", want)
		})
	}
}
