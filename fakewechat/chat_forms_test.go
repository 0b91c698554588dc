package fakewechat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// filled fills every field of a form, each with a value of its own, as the page would.
func filled(fields []sender.FormField, n *int) map[string]any {
	values := map[string]any{}
	for _, f := range fields {
		value := func() any {
			*n++
			switch f.Type {
			case "message":
				return filled(f.Fields, n)
			case "number":
				return fmt.Sprint(*n)
			case "bool":
				return *n%2 == 0
			}
			return fmt.Sprintf("<v%d> ]]> 世界", *n)
		}
		if values[f.Name] = value(); f.Repeated {
			values[f.Name] = []any{value(), value()}
		}
	}
	return values
}

// formsOf reads the forms as the page does.
func formsOf(t *testing.T, s *site) []sender.KindForm {
	t.Helper()
	resp, body := s.get(t, "/fake/kinds")
	var served struct{ Kinds []sender.KindForm }
	if err := json.Unmarshal([]byte(body), &served); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", resp.StatusCode, err, body)
	}
	return served.Kinds
}

// unset returns the fields that are not set in a message and those in it, but those of no element.
func unset(m protoreflect.Message) []string {
	var names []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		arm := fd.ContainingOneof() != nil && !fd.HasOptionalKeyword()
		switch {
		case fd.Name() == "extra", fd.FullName() == "wechat.v1.Message.account", fd.FullName() == "wechat.v1.SubscribeEvent.scene":
		case !m.Has(fd):
			if !arm {
				names = append(names, string(fd.FullName()))
			}
		case fd.Message() != nil && fd.IsList():
			for j := range m.Get(fd).List().Len() {
				names = append(names, unset(m.Get(fd).List().Get(j).Message())...)
			}
		case fd.Message() != nil:
			names = append(names, unset(m.Get(fd).Message())...)
		}
	}
	return names
}

// TestForms: a form of each kind of the protos, filled, makes a callback that has all of it, and is sent.
func TestForms(t *testing.T) {
	gw, got := gateway(t, 200, fixed("success"))
	s := newSite(t, Config{Gateway: gw})
	t.Cleanup(s.platform.Close)
	p := s.open(t)
	forms := formsOf(t, s)
	for i, form := range forms {
		t.Run(form.Name, func(t *testing.T) {
			n := 1000 * i
			message, err := json.Marshal(filled(form.Fields, &n))
			if err != nil {
				t.Fatal(err)
			}
			s.platform.Did(sender.User, Followed) // again, after unsubscribe
			if status, said := s.post(t, "/fake/lines", map[string]any{"user": sender.User, "message": json.RawMessage(message)}, nil); status != http.StatusAccepted {
				t.Fatalf("status %d: %v", status, said)
			}
			line := p.done()
			if len(line.Refused) > 0 || line.User != sender.User || len(line.Fields) < 4 {
				t.Errorf("line %+v", line)
			}
			sent, err := wechat.Decode(got.body)
			if err != nil {
				t.Fatalf("%v in %s", err, got.body)
			}
			want := &wechatv1.Message{}
			if err := protojson.Unmarshal(message, want); err != nil {
				t.Fatal(err)
			}
			want.ToUserName, want.FromUserName, want.CreateTime, want.MsgId = originalID, sender.User, at.Unix(), sent.GetMsgId()
			if want.MsgType = form.Name; form.Event {
				want.MsgType, want.GetEvent().Event = "event", form.Name
			}
			if scan := want.GetEvent().GetScan(); scan != nil {
				scan.Scene = want.GetEvent().GetEventKey()
			}
			if diff := cmp.Diff(want, sent, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s\nsent:\n%s", diff, got.body)
			}
			var none []string // what the kind does not have
			switch {
			case form.Event:
				none = []string{"wechat.v1.Message.msg_id", "wechat.v1.Message.msg_data_id", "wechat.v1.Message.idx"}
			case form.Name == "device_event":
				none = []string{"wechat.v1.Message.msg_id"}
			}
			none = append(none, "wechat.v1.Message.content_hash") // the gateway sets it if there is no MsgId
			if diff := cmp.Diff(none, unset(sent.ProtoReflect())); diff != "" {
				t.Errorf("not set (-want +got):\n%s", diff)
			}
		})
	}
	messages := (&wechatv1.Message{}).ProtoReflect().Descriptor().Oneofs().ByName("content").Fields()
	events := (&wechatv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	if want := messages.Len() - 2 + events.Len() - 1; len(forms) != want { // but event and unknown
		t.Errorf("got %d forms; want %d", len(forms), want)
	}
}

// TestFormsXML: what would be sent is shown, with what is wrong with it, and nothing is sent.
func TestFormsXML(t *testing.T) {
	s := newSite(t, Config{})
	t.Cleanup(s.platform.Close)
	const menu = `{"event": {"event_key": "k", "pic_weixin": {"send_pics_info": {"count": 0, "pic_list": [{"item": [{"pic_md5_sum": "m"}, {}]}]}}}}`
	const laidOut = `<xml>
<ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName>
<FromUserName><![CDATA[oFakeUser000000000000000001]]></FromUserName>
<CreateTime>1767225600</CreateTime>
<MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[pic_weixin]]></Event>
<EventKey><![CDATA[k]]></EventKey>
<SendPicsInfo>
<Count>0</Count>
<PicList>
<item>
<PicMd5Sum><![CDATA[m]]></PicMd5Sum>
</item>
<item></item>
</PicList>
</SendPicsInfo>
</xml>`
	const broken = "<xml>\n<a></xml>"
	for _, test := range []struct {
		name         string
		said         map[string]any
		xml, problem string
	}{
		{"a message", map[string]any{"user": sender.User, "message": json.RawMessage(menu)}, laidOut, ""},
		{"XML", map[string]any{"user": sender.User, "xml": laidOut}, laidOut, ""},
		{"broken XML", map[string]any{"user": sender.User, "xml": broken}, broken, "the callback is not XML: XML syntax error on line 2: element <a> closed by </xml>"},
		{"XML of nobody", map[string]any{"user": sender.User, "xml": "<xml></xml>"}, "<xml></xml>", "no FromUserName"},
		{"a kind", map[string]any{"user": sender.User, "kind": "location"}, "", "usage: location X Y"},
		{"an unknown field", map[string]any{"user": sender.User, "message": json.RawMessage(`{"text": {"contents": "a"}}`)}, "", `message: unknown field "contents"`},
		{"no number", map[string]any{"user": sender.User, "message": json.RawMessage(`{"file": {"file_total_len": "x"}}`)}, "", `message: invalid value for int64 field fileTotalLen: "x"`},
		{"no content", map[string]any{"user": sender.User, "message": json.RawMessage(`{"msg_type": "text"}`)}, "", "the message has no kind: set the field of one, such as text"},
		{"no event", map[string]any{"user": sender.User, "message": json.RawMessage(`{"event": {"unknown": {}}}`)}, "", "the event has no kind: set the field of one, such as subscribe"},
		{"no object", map[string]any{"user": sender.User, "message": json.RawMessage(`[]`)}, "", "message: unexpected token ["},
		{"a name that is none", map[string]any{"user": sender.User, "message": json.RawMessage(`{"text": {}, "extra": [{"name": "a><b"}]}`)}, "", "the callback is not XML"},
		{"a kind and a message", map[string]any{"user": sender.User, "kind": "text", "message": json.RawMessage(menu)}, "", "kind and args must not stand beside it"},
		{"XML and a message", map[string]any{"xml": laidOut, "message": json.RawMessage(menu)}, laidOut, "kind, args and message must not stand beside it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, said := s.post(t, "/fake/xml", test.said, nil)
			if diff := cmp.Diff(test.xml, said["xml"]); status != http.StatusOK || diff != "" {
				t.Errorf("status %d, (-want +got):\n%s", status, diff)
			}
			if problem := fmt.Sprint(said["problem"]); !strings.Contains(problem, test.problem) || test.problem == "" && problem != "" {
				t.Errorf("got problem %q; want %q", problem, test.problem)
			}
		})
	}
	if status, said := s.post(t, "/fake/xml", map[string]any{"message": "a", "url": "b"}, nil); status != http.StatusBadRequest {
		t.Errorf("an unknown name: status %d, %v", status, said)
	}
	if status, said := s.post(t, "/fake/xml", struct{}{}, http.Header{"Sec-Fetch-Site": {"cross-site"}}); status != http.StatusForbidden {
		t.Errorf("another site: status %d, %v", status, said)
	}
}

// TestFormsMessageIDs: two messages have two ids, which Compose's do not have either.
func TestFormsMessageIDs(t *testing.T) {
	m := &wechatv1.Message{MsgId: 7, MsgType: "image", Account: "a", Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: "hi"}}}
	var ids []int64
	for range 2 {
		xml, err := sender.ComposeMessage(originalID, sender.User, at, m)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := wechat.Decode(xml)
		if err != nil || sent.GetMsgType() != "text" {
			t.Fatalf("%v, %v", sent, err)
		}
		ids = append(ids, sent.GetMsgId())
	}
	if ids[0] == ids[1] || ids[0] < 1<<53 || m.GetMsgId() != 7 || m.GetMsgType() != "image" {
		t.Errorf("ids %d, the message is now %v", ids, m)
	}
}

// TestChatBroken: the page sends what is no XML for its user, and shows what comes of it.
func TestChatBroken(t *testing.T) {
	gw, got := gateway(t, 400, fixed("bad"))
	s := newSite(t, Config{Gateway: gw})
	t.Cleanup(s.platform.Close)
	p := s.open(t)
	if status, said := s.post(t, "/fake/lines", message{User: "oSomebody", XML: "<xml><a>"}, nil); status != http.StatusAccepted {
		t.Fatalf("status %d: %v", status, said)
	}
	line := p.done()
	if line.User != "oSomebody" || string(got.body) != "<xml><a>" || !cmp.Equal(line.Refused, []string{"the status is 400, not 200"}) {
		t.Errorf("line %+v, sent %s", line, got.body)
	}
	status, said := s.post(t, "/fake/lines", message{User: "oSomebody", XML: as("text", "")}, nil)
	if problem := fmt.Sprint(said["error"]); status != http.StatusBadRequest || !strings.Contains(problem, "FromUserName is another user") {
		t.Errorf("another's callback: status %d, %s", status, problem)
	}
	var whole chatLine
	id := s.say(t, saying("hi"))
	if _, body := s.get(t, fmt.Sprint("/fake/lines/", id)); json.Unmarshal([]byte(body), &whole) != nil || !cmp.Equal(whole.Send, []string{"text", "hi"}) {
		t.Errorf("line %s", body)
	}
}

// say sends what a page says, and returns its line's id.
func (s *site) say(t *testing.T, m message) any {
	t.Helper()
	status, said := s.post(t, "/fake/lines", m, nil)
	if status != http.StatusAccepted {
		t.Fatalf("status %d: %v", status, said)
	}
	return said["id"]
}

// TestV1Message: a test in another language sends any kind, and what is no XML.
func TestV1Message(t *testing.T) {
	gw, got := gateway(t, http.StatusOK, fixed("success"))
	s := newSite(t, Config{Gateway: gw})
	status, answer := s.v1(t, "POST", "messages", `{"from": "oA", "message": {"event": {"eventKey": "k", "scancode_push": {"scan_code_info": {"scan_result": "世界"}}}}}`)
	if status != http.StatusOK || answer["shown"] != "" || got.query().Get("openid") != "oA" || !strings.Contains(string(got.body), "<ScanResult><![CDATA[世界]]></ScanResult>") {
		t.Errorf("status %d, %v, sent %s", status, answer, got.body)
	}
	if _, page := s.get(t, logPath); !strings.Contains(page, "send event scancode_push (attempt 1 of 3)") {
		t.Error("the page does not show it")
	}
	if status, answer = s.v1(t, "POST", "messages", `{"message": {"link": {"url": "u"}}}`); status != http.StatusOK || got.query().Get("openid") != sender.User {
		t.Errorf("status %d, %v, openid %q", status, answer, got.query().Get("openid"))
	}
	if status, answer = s.v1(t, "POST", "messages", `{"from": "oA", "xml": "<xml>\u0000<a>"}`); status != http.StatusOK || string(got.body) != "<xml>\x00<a>" || got.query().Get("openid") != "oA" {
		t.Errorf("status %d, %v, sent %q", status, answer, got.body)
	}
}

// TestV1MessageAccount: a message, and what is no XML, for another account than the first.
func TestV1MessageAccount(t *testing.T) {
	gw, _ := gateway(t, http.StatusOK, fixed("success"))
	second, got := gateway(t, http.StatusOK, fixed("success"))
	s := newSite(t, Config{Gateway: gw})
	if err := s.platform.Put(sender.Account{AppID: "wx2", OriginalID: "gh_2", Token: "t2"}, second); err != nil {
		t.Fatal(err)
	}
	status, answer := s.v1(t, "POST", "messages", `{"account": "wx2", "message": {"link": {"url": "u"}}}`)
	if status != http.StatusOK || !strings.Contains(string(got.body), "<ToUserName><![CDATA[gh_2]]>") {
		t.Errorf("status %d, %v, sent %s", status, answer, got.body)
	}
	status, answer = s.v1(t, "POST", "messages", `{"account": "wx2", "from": "oA", "xml": "<xml>"}`)
	if status != http.StatusOK || string(got.body) != "<xml>" {
		t.Errorf("status %d, %v, sent %s", status, answer, got.body)
	}
}

// TestSendMessage: the same from Go.
func TestSendMessage(t *testing.T) {
	gw, got := gateway(t, http.StatusOK, fixed("success"))
	s := newSite(t, Config{Gateway: gw})
	d, err := s.platform.SendMessage(t.Context(), "oA", &wechatv1.Message{Content: &wechatv1.Message_Link{Link: &wechatv1.Link{Url: "u"}}})
	if err != nil || len(d.Refused) > 0 || got.query().Get("openid") != "oA" || !strings.Contains(string(got.body), "<Url><![CDATA[u]]></Url>") {
		t.Errorf("got %v, %v, sent %s", d, err, got.body)
	}
	if _, err := s.platform.SendMessage(t.Context(), "oA", nil); err == nil {
		t.Error("sent nothing")
	}
}

// FuzzLayOut: the message is the same, whatever it says. A name that is none is no XML, laid out or not.
