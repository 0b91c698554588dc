package sender

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// ComposeMessage is Compose for a message of any kind. It sets ToUserName, FromUserName, CreateTime, MsgId, MsgType and Event;
// the message's content determines the kind. The error says that the message has no content.
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

// kindOf returns the kind of a message by the arms of its oneofs.
func kindOf(m *wechatv1.Message) (wechat.Kind, error) {
	messages, events := wechat.Kinds()
	noun, kinds, in, oneof := "message", messages, m.ProtoReflect(), protoreflect.Name("content")
	if e := m.GetEvent(); e != nil {
		noun, kinds, in, oneof = "event", events, e.ProtoReflect(), "kind"
	}
	arm := in.WhichOneof(in.Descriptor().Oneofs().ByName(oneof))
	if i := slices.IndexFunc(kinds, func(k wechat.Kind) bool { return k.Arm == arm }); i >= 0 {
		return kinds[i], nil
	}
	return wechat.Kind{}, fmt.Errorf("the %s has no kind: set the field of one, such as %s", noun, kinds[0].Arm.Name())
}

// protojsonPlace matches the place at the beginning of protojson's errors. Their blank is one of two, depending on the build.
var protojsonPlace = regexp.MustCompile(`^proto:[ \x{a0}]*(?:syntax error )?(?:\(line [0-9:]+\): )?`)

// ReadMessage reads a wechat.v1.Message in protobuf's JSON. The error names the field.
func ReadMessage(raw []byte) (*wechatv1.Message, error) {
	m := &wechatv1.Message{}
	if err := protojson.Unmarshal(raw, m); err != nil {
		return nil, errors.New("message: " + Clip(protojsonPlace.ReplaceAllString(err.Error(), ""), 200))
	}
	return m, nil
}

// layOut puts each element of EncodeMessage's XML on a line, as WeChat does.
func layOut(xml []byte) []byte {
	out := make([]byte, 0, len(xml)+len(xml)/16)
	before := "" // the tag before this one
	for len(xml) > 0 {
		n, tag := 0, ""
		switch {
		case bytes.HasPrefix(xml, []byte(CDATAStart)):
			n = bytes.Index(xml, []byte(CDATAEnd)) + len(CDATAEnd)
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
