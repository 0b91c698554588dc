package sender

import (
	"bytes"
	"regexp"
	"slices"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// KindForm describes a kind of message or event, so that a page can make a form for it. Its fields are those of a
// wechat.v1.Message.
type KindForm struct {
	Name   string      `json:"name"` // MsgType or Event, as WeChat writes it
	Event  bool        `json:"event"`
	Fields []FormField `json:"fields"`
}

// FormField is a field of a wechat.v1.Message, or of a message in it.
type FormField struct {
	Name     string      `json:"name"`
	Element  string      `json:"element,omitempty"` // as WeChat writes it; "": none, its fields stand in the parent's
	Type     string      `json:"type"`              // string, number, bool or message
	Repeated bool        `json:"repeated,omitempty"`
	Kind     bool        `json:"kind,omitempty"` // it determines the kind, and is never left out
	Fields   []FormField `json:"fields,omitempty"`
}

// KindForms returns the forms of all kinds, made at the first call.
var KindForms = sync.OnceValue(func() []KindForm {
	messages, events := wechat.Kinds()
	top := messagePlace(func() (*wechatv1.Message, protoreflect.Message) {
		m := &wechatv1.Message{}
		return m, m.ProtoReflect()
	})
	var all []KindForm
	for _, k := range messages {
		all = append(all, KindForm{k.Name, false, append([]FormField{top.kindField(k.Arm)}, top.formFields()...)})
	}
	for _, k := range events {
		event := top.kindField(eventArm)
		event.Fields = append(event.Fields, top.inside(eventArm).kindField(k.Arm))
		all = append(all, KindForm{k.Name, true, []FormField{event}})
	}
	return all
})

var eventArm = (&wechatv1.Message{}).ProtoReflect().Descriptor().Fields().ByName("event")

// madeByUs are the fields that ComposeMessage fills itself.
var madeByUs = []protoreflect.FullName{
	"wechat.v1.Message.to_user_name", "wechat.v1.Message.from_user_name", "wechat.v1.Message.create_time",
	"wechat.v1.Message.msg_type", "wechat.v1.Message.msg_id", "wechat.v1.Event.event",
}

// messagePlace makes a new message, and returns it with a message inside of it.
type messagePlace func() (whole *wechatv1.Message, inside protoreflect.Message)

// inside returns the place of a field's message.
func (p messagePlace) inside(fd protoreflect.FieldDescriptor) messagePlace {
	return func() (*wechatv1.Message, protoreflect.Message) {
		whole, inside := p()
		return whole, setExample(inside, fd).Message()
	}
}

// setExample sets a field to an example, and returns its value.
func setExample(m protoreflect.Message, fd protoreflect.FieldDescriptor) protoreflect.Value {
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

// formFields returns the fields of a form at a place.
func (p messagePlace) formFields() []FormField {
	_, inside := p()
	var fields []FormField
	all := inside.Descriptor().Fields()
	for i := range all.Len() {
		fd := all.Get(i)
		arm := fd.ContainingOneof() != nil && !fd.HasOptionalKeyword()
		if arm || fd.Name() == "extra" || slices.Contains(madeByUs, fd.FullName()) {
			continue
		}
		if f := p.formField(fd); f.Element != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

func (p messagePlace) formField(fd protoreflect.FieldDescriptor) FormField {
	f := FormField{Name: string(fd.Name()), Element: p.elementName(fd), Repeated: fd.IsList()}
	switch fd.Kind() {
	case protoreflect.MessageKind:
		f.Type, f.Fields = "message", p.inside(fd).formFields()
	case protoreflect.StringKind, protoreflect.BoolKind:
		f.Type = fd.Kind().String()
	default:
		f.Type = "number"
	}
	return f
}

// kindField returns the field of a oneof's arm, which determines the kind.
func (p messagePlace) kindField(arm protoreflect.FieldDescriptor) FormField {
	f := p.formField(arm)
	f.Kind = true
	return f
}

var openTag = regexp.MustCompile(`<(\w+)>`)

// elementName returns the name of the element that is written for a field, or "".
func (p messagePlace) elementName(fd protoreflect.FieldDescriptor) string {
	without, _ := p()
	with, inside := p()
	setExample(inside, fd)
	written := wechat.EncodeMessage(with)
	if bytes.Equal(written, wechat.EncodeMessage(without)) {
		return ""
	}
	tags := openTag.FindAllSubmatch(written, -1)
	return string(tags[len(tags)-1][1])
}
