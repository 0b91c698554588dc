package wechat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

// arms returns the arms of m's oneof but unknown.
func arms(m proto.Message, oneof protoreflect.Name) map[protoreflect.Name]protoreflect.FieldDescriptor {
	all := map[protoreflect.Name]protoreflect.FieldDescriptor{}
	fields := m.ProtoReflect().Descriptor().Oneofs().ByName(oneof).Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Name() != "unknown" {
			all[fd.Name()] = fd
		}
	}
	return all
}

// kindsByArm returns the name of each kind by the arm that it fills, and fails where two fill one arm or none does.
func kindsByArm[P any, M interface {
	*P
	proto.Message
}](t testing.TB, table *kindTable[P], oneof protoreflect.Name) map[protoreflect.Name]string {
	t.Helper()
	d, err := Parse([]byte("<xml/>"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[protoreflect.Name]string{}
	for _, k := range table.list {
		p := M(new(P))
		k.read(d, p)
		m := p.ProtoReflect()
		fd := m.WhichOneof(m.Descriptor().Oneofs().ByName(oneof))
		switch {
		case fd == nil:
			t.Errorf("%s fills no arm", k.name)
			continue
		case names[fd.Name()] != "":
			t.Errorf("%s and %s fill one arm", k.name, names[fd.Name()])
		case !strings.EqualFold(strings.ReplaceAll(string(fd.Name()), "_", ""), strings.ReplaceAll(k.name, "_", "")):
			t.Errorf("%s fills the arm %s", k.name, fd.Name())
		}
		names[fd.Name()] = k.name
	}
	want := slices.Sorted(maps.Keys(arms(M(new(P)), oneof)))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(names))); diff != "" {
		t.Errorf("arms with a kind: -want +got:\n%s", diff)
	}
	return names
}

// Kinds lists what the tables hold, in their order.
func TestKinds(t *testing.T) {
	messages, events := Kinds()
	want := slices.Concat(slices.Collect(maps.Keys(kindsByArm(t, messageKinds, "content"))), slices.Collect(maps.Keys(kindsByArm(t, eventKinds, "kind"))))
	want = slices.DeleteFunc(want, func(name protoreflect.Name) bool { return name == "event" })
	var got []protoreflect.Name
	for _, k := range slices.Concat(messages, events) {
		got = append(got, k.Arm.Name())
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arms: -want +got:\n%s", diff)
	}
	if messages[0].Name != "text" || messages[0].Arm.FullName() != "wechat.v1.Message.text" || events[2].Name != "SCAN" || events[2].Arm.FullName() != "wechat.v1.Event.scan" {
		t.Errorf("got %v and %v first; want text, and SCAN as the third event", messages[0], events[:3])
	}
}

// fullMessages returns a message of each kind of message and event, with every field set but those of no element: the
// account, a scene, the generic elements.
func fullMessages(t testing.TB) map[string]*wechatv1.Message {
	t.Helper()
	all := map[string]*wechatv1.Message{}
	add := func(name, msgType string, content protoreflect.FieldDescriptor) *wechatv1.Message {
		m, n := &wechatv1.Message{}, 0
		fillFields(m.ProtoReflect(), &n)
		m.Account, m.ContentHash, m.MsgType = "", "", msgType
		v := m.ProtoReflect().Mutable(content).Message()
		if content.Name() != "event" {
			fillFields(v, &n)
		}
		all[name] = m
		return m
	}
	messages := arms(&wechatv1.Message{}, "content")
	for arm, name := range kindsByArm(t, messageKinds, "content") {
		if name != "event" {
			add(name, name, messages[arm])
		}
	}
	events := arms(&wechatv1.Event{}, "kind")
	for arm, name := range kindsByArm(t, eventKinds, "kind") {
		e := add("event "+name, "event", messages["event"]).GetEvent()
		n := 1000
		fillFields(e.ProtoReflect().Mutable(events[arm]).Message(), &n)
		e.Event, e.EventKey = name, "key"
		if scan := e.GetScan(); scan != nil {
			scan.Scene = e.EventKey
		}
	}
	return all
}

// fillFields sets every field of m, but those of a oneof, to a value that no other field has.
func fillFields(m protoreflect.Message, n *int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case fd.Name() == "extra", fd.FullName() == "wechat.v1.SubscribeEvent.scene":
		case fd.ContainingOneof() != nil && !fd.HasOptionalKeyword():
		case fd.IsList():
			for range 2 {
				m.Mutable(fd).List().Append(newValue(fd, m.Mutable(fd).List().NewElement(), n))
			}
		default:
			m.Set(fd, newValue(fd, m.NewField(fd), n))
		}
	}
}

func newValue(fd protoreflect.FieldDescriptor, empty protoreflect.Value, n *int) protoreflect.Value {
	*n++
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprint("v", *n))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(*n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(1<<53 + int64(*n))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(*n%2 == 0)
	case protoreflect.MessageKind:
		fillFields(empty.Message(), n)
		return empty
	}
	panic("a field of a kind that this test does not know: " + fd.FullName())
}

// Every arm has one kind, and every field of every arm, at every level, has its element: set, it is written, and read
// again.
func TestKindsComplete(t *testing.T) {
	all := fullMessages(t)
	if len(all) != len(messageKinds.list)-1+len(eventKinds.list) {
		t.Errorf("%d messages", len(all))
	}
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			body := EncodeMessage(want)
			got, err := Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s\nencoded:\n%s", diff, body)
			}
			for _, empty := range unset(got.ProtoReflect()) {
				t.Errorf("%s is not set", empty)
			}
		})
	}
}

// unset returns the fields of m that are not set, at every level.
func unset(m protoreflect.Message) []protoreflect.FullName {
	var names []protoreflect.FullName
	walk(m, func(m protoreflect.Message) {
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			fd := fields.Get(i)
			arm := fd.ContainingOneof() != nil && !fd.HasOptionalKeyword()
			switch fd.FullName() {
			case "wechat.v1.Message.account", "wechat.v1.Message.content_hash", "wechat.v1.SubscribeEvent.scene":
			default:
				if !arm && fd.Name() != "extra" && !m.Has(fd) {
					names = append(names, fd.FullName())
				}
			}
		}
	})
	return names
}

// A field of a number tells 0 from missing, and one of a truth false, but in the envelope.
func TestKindsPresence(t *testing.T) {
	for name, m := range fullMessages(t) {
		walk(m.ProtoReflect(), func(v protoreflect.Message) {
			for fd := range v.Range {
				number := fd.Message() == nil && fd.Kind() != protoreflect.StringKind && !fd.IsList()
				if number && !fd.HasPresence() && fd.ContainingMessage() != m.ProtoReflect().Descriptor() {
					t.Errorf("%s: %s has no presence", name, fd.FullName())
				}
			}
		})
	}
}

// MsgType and Event are told apart without regard to case, and kept as sent.
func TestKindsAnyCase(t *testing.T) {
	mixed := func(s string) string {
		b := []byte(strings.ToLower(s))
		for i := 0; i < len(b); i += 2 {
			b[i] = strings.ToUpper(string(b[i]))[0]
		}
		return string(b)
	}
	cases := []func(string) string{strings.ToLower, strings.ToUpper, mixed}
	for arm, name := range kindsByArm(t, messageKinds, "content") {
		for _, spell := range cases {
			m, err := Decode([]byte("<xml><MsgType>" + spell(name) + "</MsgType></xml>"))
			if err != nil {
				t.Fatal(err)
			}
			r := m.ProtoReflect()
			if got := r.WhichOneof(r.Descriptor().Oneofs().ByName("content")).Name(); got != arm || m.GetMsgType() != spell(name) {
				t.Errorf("%s: the arm %s, MsgType %q", spell(name), got, m.GetMsgType())
			}
		}
	}
	names := kindsByArm(t, eventKinds, "kind")
	checkEvent := func(name string, arm protoreflect.Name) {
		for _, spell := range cases {
			m, err := Decode([]byte("<xml><MsgType>event</MsgType><Event>" + spell(name) + "</Event></xml>"))
			if err != nil {
				t.Fatal(err)
			}
			r := m.GetEvent().ProtoReflect()
			got := r.WhichOneof(r.Descriptor().Oneofs().ByName("kind")).Name()
			if got != arm || m.GetEvent().GetEvent() != spell(name) {
				t.Errorf("%s: the arm %s, Event %q", spell(name), got, m.GetEvent().GetEvent())
			}
		}
	}
	for arm, name := range names {
		checkEvent(name, arm)
	}
	checkEvent("FREEPUBLISHJOBFINISH", "publish_job_finish")
}

// Elements that go by two names are read by either; the first that is sent counts.
func TestKindsSpellings(t *testing.T) {
	for _, test := range []struct{ event, elements, want string }{
		{"poi_check_notify", "<Msg>a</Msg>", "a"},
		{"poi_check_notify", "<msg>a</msg>", "a"},
		{"poi_check_notify", "<msg>a</msg><Msg>b</Msg>", "a"},
		{"user_authorize_invoice", "<AuthorizeAppId>a</AuthorizeAppId><Source>b</Source>", "a b"},
		{"user_authorize_invoice", "<AppId>a</AppId><source>b</source>", "a b"},
	} {
		m, err := Decode([]byte("<xml><MsgType>event</MsgType><Event>" + test.event + "</Event>" + test.elements + "</xml>"))
		if err != nil {
			t.Fatal(err)
		}
		invoice := m.GetEvent().GetUserAuthorizeInvoice()
		got := strings.TrimSpace(m.GetEvent().GetPoiCheckNotify().GetMsg() + invoice.GetAuthorizeAppid() + " " + invoice.GetSource())
		if got != test.want {
			t.Errorf("%s %s: %q, want %q", test.event, test.elements, got, test.want)
		}
	}
}

// The names of elements that no sample shows stand here once more, so that a slip in the tables shows.
func TestKindsBeyondSamples(t *testing.T) {
	want := []string{
		"giftcard_pay_done IsChatRoom",
		"giftcard_pay_done IsReturnBack",
		"giftcard_user_accept IsReturnBack",
		"user_authorization_cancellation RevokeInfo",
		"user_consume_card LocationId",
		"user_info_modified RevokeInfo",
		"user_pay_from_pay_cell LocationName",
		"wxa_media_check detail",
		"wxa_media_check errcode",
		"wxa_media_check label",
		"wxa_media_check prob",
		"wxa_media_check result",
		"wxa_media_check strategy",
		"wxa_media_check suggest",
		"wxa_media_check version",
	}
	shown := elementsByKind(t, inbound(t), func(file string) []byte { return sample(t, "inbound", file) })
	all := fullMessages(t)
	written := elementsByKind(t, slices.Collect(maps.Keys(all)), func(name string) []byte { return EncodeMessage(all[name]) })
	maps.DeleteFunc(written, func(name string, _ bool) bool { return shown[name] })
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(written))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// elementsByKind returns which elements the documents have, each with its kind in front, but those that every kind has.
func elementsByKind(t *testing.T, names []string, document func(string) []byte) map[string]bool {
	t.Helper()
	common := map[string]bool{"Event": true, "EventKey": true}
	for _, f := range envelope {
		common[f.name] = true
	}
	elements := map[string]bool{}
	for _, name := range names {
		d, err := Parse(document(name))
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for i := range d.nodes[1:] {
			found = append(found, d.nodeName(i+1))
		}
		m := d.Message()
		kind := m.GetMsgType()
		if e := m.GetEvent(); e != nil {
			kind = e.GetEvent()
		}
		for _, name := range found {
			if !common[name] {
				elements[kind+" "+name] = true
			}
		}
	}
	return elements
}
