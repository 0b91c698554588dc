package wechat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// Every sample, and what random makes of every kind, comes out of XML as it went in.
func TestRoundTrip(t *testing.T) {
	for _, file := range inbound(t) {
		t.Run(file, func(t *testing.T) { checkRoundTrip(t, sample(t, "inbound", file)) })
	}
	t.Run("random", func(t *testing.T) {
		g := newGenerator(t, 11)
		for range 5000 {
			body := g.document()
			checkRoundTrip(t, body)
			if t.Failed() {
				t.Fatalf("the document:\n%s", body)
			}
		}
		// What the generator makes must reach the odd corners, not the plain way alone.
		for _, corner := range []string{"typed", "unknown", "extra", "nested extra"} {
			if g.seen[corner] < 250 {
				t.Errorf("%d documents with %s", g.seen[corner], corner)
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	g := newGenerator(f, 12)
	for range 40 {
		f.Add(g.document())
	}
	for _, body := range []string{
		"<xml><MsgType>text</MsgType><Content/><Content>a</Content></xml>",
		"<xml><MsgType/><MsgType>text</MsgType><MsgId>0</MsgId><MsgId>1</MsgId></xml>",
		"<xml><MsgType>event</MsgType><Event>publishjobfinish</Event><fail_idx>1</fail_idx><fail_idx/><fail_idx>x</fail_idx></xml>",
		"<xml><MsgType>event</MsgType><Event>PUBLISHJOBFINISH</Event><PublishEventInfo>x</PublishEventInfo>" +
			"<publish_id>1</publish_id></xml>",
		"<xml><MsgType>event</MsgType><Event>poi_check_notify</Event><msg/><Msg>a</Msg></xml>",
		"<xml><MsgType>event</MsgType><Event>pic_weixin</Event><SendPicsInfo><PicList/>a</SendPicsInfo></xml>",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkRoundTrip(t, body) })
}

// checkRoundTrip fails unless the message that body holds, encoded and decoded, is itself again, and its XML has every
// element of body.
func checkRoundTrip(t *testing.T, body []byte) {
	t.Helper()
	d, err := Parse(body)
	if err != nil {
		return
	}
	want := d.genericElement(0)
	if depth, n, _ := measure(want); depth >= maxDepth || n > maxElements/2 {
		return // the encoded document may be beyond the limits
	}
	first := d.Message()
	encoded := EncodeMessage(first)
	again, err := Parse(encoded)
	if err != nil {
		t.Errorf("%v; encoded:\n%s", err, encoded)
		return
	}
	got := again.genericElement(0)
	if second := again.Message(); !proto.Equal(first, second) {
		t.Errorf("-first +second:\n%s\nencoded:\n%s", cmp.Diff(first, second, protocmp.Transform()), encoded)
	}
	want.Text = "" // a callback's own text says nothing
	event := strings.ToLower(first.GetEvent().GetEvent())
	respell(event, want)
	respell(event, got)
	unbox(event, want, got)
	checkTree(t, "", want, got)
	if t.Failed() {
		t.Logf("encoded:\n%s", encoded)
	}
}

// spellings are the elements with two spellings, by event: the second, and the first, which is written.
var spellings = map[string]map[string]string{
	"poi_check_notify":       {"msg": "Msg"},
	"user_authorize_invoice": {"AppId": "AuthorizeAppId", "source": "Source"},
}

func respell(event string, root *wechatv1.Element) {
	for _, e := range root.GetChildren() {
		if first := spellings[event][e.GetName()]; first != "" {
			e.Name = first
		}
	}
}

// boxes are the events whose elements stand in a box.
var boxes = map[string]string{
	"publishjobfinish":           "PublishEventInfo",
	"freepublishjobfinish":       "PublishEventInfo",
	"subscribe_msg_popup_event":  "SubscribeMsgPopupEvent",
	"subscribe_msg_change_event": "SubscribeMsgChangeEvent",
	"subscribe_msg_sent_event":   "SubscribeMsgSentEvent",
	"guide_qrcode_scan_event":    "GuideScanEvent",
	"guide_invite_result_event":  "GuideInviteEvent",
}

// unbox puts what the first box in got holds into the root, where want had no box.
func unbox(event string, want, got *wechatv1.Element) {
	box := boxes[event]
	for _, e := range want.GetChildren() {
		if e.GetName() == box {
			return
		}
	}
	for i, e := range got.GetChildren() {
		if e.GetName() == box {
			rest := append(e.GetChildren(), got.Children[i+1:]...)
			got.Children = append(got.Children[:i:i], rest...)
			return
		}
	}
}

// checkTree fails unless the two say the same: the same elements, in order among those with one name. Those that are
// empty say nothing, and blanks around a text may be gone.
func checkTree(t *testing.T, path string, want, got *wechatv1.Element) {
	t.Helper()
	if w, g := want.GetText(), got.GetText(); w != g && strings.Trim(w, xmlBlanks) != g {
		t.Errorf("%s: %q, want %q", path, g, w)
	}
	wants, gots := byName(want), byName(got)
	for name := range gots {
		if wants[name] == nil {
			t.Errorf("%s/%s: not in the body", path, name)
		}
	}
	for name, list := range wants {
		if len(list) != len(gots[name]) {
			t.Errorf("%s/%s: %d elements, want %d", path, name, len(gots[name]), len(list))
			continue
		}
		for i := range list {
			checkTree(t, fmt.Sprintf("%s/%s[%d]", path, name, i), list[i], gots[name][i])
		}
	}
}

// byName returns the children of e that are not empty, by name.
func byName(e *wechatv1.Element) map[string][]*wechatv1.Element {
	all := map[string][]*wechatv1.Element{}
	for _, c := range e.GetChildren() {
		if !saysNothing(c) {
			all[c.GetName()] = append(all[c.GetName()], c)
		}
	}
	return all
}

func saysNothing(e *wechatv1.Element) bool {
	for _, c := range e.GetChildren() {
		if !saysNothing(c) {
			return false
		}
	}
	return strings.Trim(e.GetText(), xmlBlanks) == ""
}

// Where the box of an event is missing, its elements are read from the root; a box that is sent, whatever it holds, is
// the box.
func TestBoxMissing(t *testing.T) {
	popup := func(list ...*wechatv1.SubscribeMsgPopup) *wechatv1.Event {
		return &wechatv1.Event{Event: "subscribe_msg_popup_event", Kind: &wechatv1.Event_SubscribeMsgPopupEvent{
			SubscribeMsgPopupEvent: &wechatv1.SubscribeMsgPopupEvent{List: list},
		}}
	}
	one := &wechatv1.SubscribeMsgPopup{TemplateId: "1", PopupScene: proto.Int32(0)}
	two := &wechatv1.SubscribeMsgPopup{TemplateId: "2", Extra: elements{elem("New", "n")}}
	const list = "<List><TemplateId>1</TemplateId><PopupScene>0</PopupScene></List>" +
		"<List><TemplateId>2</TemplateId><New>n</New></List>"
	listExtra := elements{
		elem("List", "", elem("TemplateId", "1"), elem("PopupScene", "0")),
		elem("List", "", elem("TemplateId", "2"), elem("New", "n")),
	}
	tests := []struct {
		name, elements string
		event          *wechatv1.Event
		extra          elements
	}{
		{"box", "<SubscribeMsgPopupEvent>" + list + "</SubscribeMsgPopupEvent>", popup(one, two), nil},
		{"no box", list, popup(one, two), nil},
		{"no box, others", "<New>1</New>" + list + "<List>x</List>", popup(one, two), elements{elem("New", "1"), elem("List", "x")}},
		{"nothing", "", popup(), nil},
		{"empty box", "<SubscribeMsgPopupEvent/>" + list, popup(), listExtra},
		{"box behind", list + "<SubscribeMsgPopupEvent/>", popup(), listExtra},
		{"box with a text", "<SubscribeMsgPopupEvent>x</SubscribeMsgPopupEvent>" + list, popup(),
			append(elements{elem("SubscribeMsgPopupEvent", "x")}, listExtra...)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := []byte("<xml><MsgType>event</MsgType><Event>subscribe_msg_popup_event</Event>" + test.elements + "</xml>")
			d, err := Parse(body)
			if err != nil {
				t.Fatal(err)
			}
			want := &wechatv1.Message{
				MsgType: "event", Content: &wechatv1.Message_Event{Event: test.event}, Extra: test.extra,
			}
			if diff := cmp.Diff(want, d.Message(), protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			checkRoundTrip(t, body)
		})
	}
}

// Of the elements that go to a list, those up to the first that does not fit are taken.
func TestListMisfit(t *testing.T) {
	d, err := Parse([]byte("<xml><MsgType>event</MsgType><Event>FREEPUBLISHJOBFINISH</Event><PublishEventInfo>" +
		"<fail_idx>1</fail_idx><fail_idx/><fail_idx>0</fail_idx><fail_idx>x</fail_idx><fail_idx>3</fail_idx>" +
		"</PublishEventInfo></xml>"))
	if err != nil {
		t.Fatal(err)
	}
	want := &wechatv1.PublishJobFinishEvent{FailIdx: []int32{1, 0}, Extra: elements{elem("fail_idx", "x"), elem("fail_idx", "3")}}
	if diff := cmp.Diff(want, d.Message().GetEvent().GetPublishJobFinish(), protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// EncodeMessage writes an empty element only where one is needed to keep the next from being taken.
func TestEncodeEmptyFirst(t *testing.T) {
	for _, test := range []struct{ elements, want string }{
		{"<Content/><Content>a</Content>", "<Content></Content><Content><![CDATA[a]]></Content>"},
		{"<Content/>", ""},
		{"<Content><b/></Content><Content>a</Content>",
			"<Content><b><![CDATA[]]></b></Content><Content><![CDATA[a]]></Content>"},
		{"<MsgId>0</MsgId>", "<MsgId><![CDATA[0]]></MsgId>"},
		{"<PublishEventInfo/>", "<PublishEventInfo><![CDATA[]]></PublishEventInfo>"},
	} {
		m, err := Decode([]byte("<xml><MsgType>text</MsgType>" + test.elements + "</xml>"))
		if err != nil {
			t.Fatal(err)
		}
		want := "<xml><MsgType><![CDATA[text]]></MsgType>" + test.want + "</xml>"
		if got := string(EncodeMessage(m)); got != want {
			t.Errorf("%s:\n%s, want\n%s", test.elements, got, want)
		}
	}
}
