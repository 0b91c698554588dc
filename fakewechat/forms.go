package fakewechat

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// kindForm is the form of a kind of message or event. Its fields are those of a wechat.v1.Message.
type kindForm struct {
	Name   string      `json:"name"` // MsgType or Event, as WeChat writes it
	Event  bool        `json:"event"`
	Fields []formField `json:"fields"`
}

// formField is a field of a wechat.v1.Message, or of a message in it.
type formField struct {
	Name     string      `json:"name"`
	Element  string      `json:"element,omitempty"` // as WeChat writes it; "": its fields stand among its neighbours
	Type     string      `json:"type"`              // string, number, bool or message
	Repeated bool        `json:"repeated,omitempty"`
	Kind     bool        `json:"kind,omitempty"` // it says which kind it is, and is never left out
	Fields   []formField `json:"fields,omitempty"`
}

// kindForms are the forms of all kinds.
var kindForms = sync.OnceValue(func() []kindForm {
	messages, events := wechat.Kinds()
	top := place(func() (*wechatv1.Message, protoreflect.Message) {
		m := &wechatv1.Message{}
		return m, m.ProtoReflect()
	})
	var all []kindForm
	for _, k := range messages {
		all = append(all, kindForm{k.Name, false, append([]formField{top.kind(k.Arm)}, top.fields()...)})
	}
	for _, k := range events {
		event := top.kind(eventArm)
		event.Fields = append(event.Fields, top.in(eventArm).kind(k.Arm))
		all = append(all, kindForm{k.Name, true, []formField{event}})
	}
	return all
})

var eventArm = (&wechatv1.Message{}).ProtoReflect().Descriptor().Fields().ByName("event")

// madeByUs are the fields that ComposeMessage fills itself.
var madeByUs = []protoreflect.FullName{
	"wechat.v1.Message.to_user_name", "wechat.v1.Message.from_user_name", "wechat.v1.Message.create_time",
	"wechat.v1.Message.msg_type", "wechat.v1.Message.msg_id", "wechat.v1.Event.event",
}

// place makes a new message, and returns it with a message inside of it.
type place func() (whole *wechatv1.Message, inside protoreflect.Message)

// in is the place of a field's message.
func (p place) in(fd protoreflect.FieldDescriptor) place {
	return func() (*wechatv1.Message, protoreflect.Message) {
		whole, inside := p()
		return whole, fill(inside, fd).Message()
	}
}

// fill sets a field, and returns the one value in it.
func fill(m protoreflect.Message, fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch {
	case fd.IsList() && fd.Message() != nil:
		return m.Mutable(fd).List().AppendMutable()
	case fd.Message() != nil:
		return m.Mutable(fd)
	}
	value := map[protoreflect.Kind]protoreflect.Value{
		protoreflect.StringKind: protoreflect.ValueOfString("1"),
		protoreflect.BoolKind:   protoreflect.ValueOfBool(true),
		protoreflect.Int32Kind:  protoreflect.ValueOfInt32(1),
		protoreflect.Int64Kind:  protoreflect.ValueOfInt64(1),
	}[fd.Kind()]
	if fd.IsList() {
		m.Mutable(fd).List().Append(value)
	} else {
		m.Set(fd, value)
	}
	return value
}

// fields returns the fields that a form has at a place.
func (p place) fields() []formField {
	_, inside := p()
	var fields []formField
	all := inside.Descriptor().Fields()
	for i := range all.Len() {
		fd := all.Get(i)
		arm := fd.ContainingOneof() != nil && !fd.HasOptionalKeyword()
		if arm || fd.Name() == "extra" || slices.Contains(madeByUs, fd.FullName()) {
			continue
		}
		if f := p.field(fd); f.Element != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

func (p place) field(fd protoreflect.FieldDescriptor) formField {
	f := formField{Name: string(fd.Name()), Element: p.element(fd), Repeated: fd.IsList()}
	switch fd.Kind() {
	case protoreflect.MessageKind:
		f.Type, f.Fields = "message", p.in(fd).fields()
	case protoreflect.StringKind, protoreflect.BoolKind:
		f.Type = fd.Kind().String()
	default:
		f.Type = "number"
	}
	return f
}

// kind returns the field of an arm.
func (p place) kind(arm protoreflect.FieldDescriptor) formField {
	f := p.field(arm)
	f.Kind = true
	return f
}

var openTag = regexp.MustCompile(`<(\w+)>`)

// element returns the name of the element that is written for a field; "" where there is none.
func (p place) element(fd protoreflect.FieldDescriptor) string {
	without, _ := p()
	with, inside := p()
	fill(inside, fd)
	written := wechat.EncodeMessage(with)
	if bytes.Equal(written, wechat.EncodeMessage(without)) {
		return ""
	}
	tags := openTag.FindAllSubmatch(written, -1)
	return string(tags[len(tags)-1][1])
}

// ComposeMessage is Compose for a message of any kind. Who it is for, who wrote it, its CreateTime and MsgId, its
// MsgType and Event are set: its content says which kind it is. The error tells that there is none.
func ComposeMessage(to, from string, now time.Time, message *wechatv1.Message) ([]byte, error) {
	m := proto.CloneOf(message)
	kind, err := kindOf(m)
	if err != nil {
		return nil, err
	}
	m.ToUserName, m.FromUserName, m.CreateTime, m.MsgId = to, from, now.Unix(), 0
	m.MsgType = kind.Name
	if e := m.GetEvent(); e != nil {
		m.MsgType, e.Event = "event", kind.Name
	} else if m.GetDeviceEvent() == nil {
		m.MsgId = newMsgID()
	}
	return layOut(wechat.EncodeMessage(m)), nil
}

// kindOf returns the kind of a message by its arms.
func kindOf(m *wechatv1.Message) (wechat.Kind, error) {
	messages, events := wechat.Kinds()
	what, kinds, in, oneof := "message", messages, m.ProtoReflect(), protoreflect.Name("content")
	if e := m.GetEvent(); e != nil {
		what, kinds, in, oneof = "event", events, e.ProtoReflect(), "kind"
	}
	arm := in.WhichOneof(in.Descriptor().Oneofs().ByName(oneof))
	if i := slices.IndexFunc(kinds, func(k wechat.Kind) bool { return k.Arm == arm }); i >= 0 {
		return kinds[i], nil
	}
	return wechat.Kind{}, fmt.Errorf("the %s has no kind: set the field of one, such as %s", what, kinds[0].Arm.Name())
}

// protojsonPlace is where protojson's errors say that they come from. Their blank is one of two, by the build.
var protojsonPlace = regexp.MustCompile(`^proto:[ \x{a0}]*(?:syntax error )?(?:\(line [0-9:]+\): )?`)

// readMessage reads a wechat.v1.Message in protobuf's JSON. The error names the field.
func readMessage(raw []byte) (*wechatv1.Message, error) {
	m := &wechatv1.Message{}
	if err := protojson.Unmarshal(raw, m); err != nil {
		return nil, errors.New("message: " + clip(protojsonPlace.ReplaceAllString(err.Error(), ""), 200))
	}
	return m, nil
}

// layOut puts each element on a line, as WeChat does. The XML is EncodeMessage's.
func layOut(xml []byte) []byte {
	out := make([]byte, 0, len(xml)+len(xml)/16)
	before := "" // the tag in front
	for len(xml) > 0 {
		n, tag := 0, ""
		switch {
		case bytes.HasPrefix(xml, []byte(openCDATA)):
			n = bytes.Index(xml, []byte(closeCDATA)) + len(closeCDATA)
		case xml[0] == '<':
			n = bytes.IndexByte(xml, '>') + 1
			tag = string(xml[:n])
		default:
			n = bytes.IndexByte(xml, '<')
		}
		if tag != "" && before != "" && (tag[1] != '/' || before[1] == '/') { // but <a></a>
			out = append(out, '\n')
		}
		out, xml, before = append(out, xml[:n]...), xml[n:], tag
	}
	return out
}
