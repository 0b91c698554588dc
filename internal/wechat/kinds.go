package wechat

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "wxgate/proto/wechat/v1"
)

// The tables of kinds map the elements of a callback to fields, for reading and writing. A new kind needs a message in
// proto/wechat/v1 and an entry here. The tables of events are grouped into files like the .proto files. Use textField for
// texts that people write, else tokenField.

// envelope has the fields of every callback.
var envelope = []field[v1.Message]{
	tokenField("ToUserName", func(m *v1.Message) *string { return &m.ToUserName }),
	tokenField("FromUserName", func(m *v1.Message) *string { return &m.FromUserName }),
	positiveField("CreateTime", func(m *v1.Message) *int64 { return &m.CreateTime }),
	tokenField("MsgType", func(m *v1.Message) *string { return &m.MsgType }),
	positiveField("MsgId", func(m *v1.Message) *int64 { return &m.MsgId }),
	tokenField("MsgDataId", func(m *v1.Message) *string { return &m.MsgDataId }),
	positiveField("Idx", func(m *v1.Message) *int32 { return &m.Idx }),
}

// messageKinds has a kind for each MsgType.
var messageKinds = tableOf(
	newKind("text", func(m *v1.Message, c *v1.Text) { m.Content = &v1.Message_Text{Text: c} }, (*v1.Message).GetText,
		textField("Content", func(c *v1.Text) *string { return &c.Content }),
		tokenField("bizmsgmenuid", func(c *v1.Text) *string { return &c.Bizmsgmenuid }),
	),
	newKind("image", func(m *v1.Message, c *v1.Image) { m.Content = &v1.Message_Image{Image: c} }, (*v1.Message).GetImage,
		tokenField("PicUrl", func(c *v1.Image) *string { return &c.PicUrl }),
		tokenField("MediaId", func(c *v1.Image) *string { return &c.MediaId }),
	),
	newKind("voice", func(m *v1.Message, c *v1.Voice) { m.Content = &v1.Message_Voice{Voice: c} }, (*v1.Message).GetVoice,
		tokenField("MediaId", func(c *v1.Voice) *string { return &c.MediaId }),
		tokenField("Format", func(c *v1.Voice) *string { return &c.Format }),
		textField("Recognition", func(c *v1.Voice) *string { return &c.Recognition }),
		tokenField("MediaId16K", func(c *v1.Voice) *string { return &c.MediaId_16K }),
	),
	newKind("video", func(m *v1.Message, c *v1.Video) { m.Content = &v1.Message_Video{Video: c} }, (*v1.Message).GetVideo, video...),
	newKind("shortvideo", func(m *v1.Message, c *v1.Video) { m.Content = &v1.Message_Shortvideo{Shortvideo: c} }, (*v1.Message).GetShortvideo, video...),
	newKind("location", func(m *v1.Message, c *v1.Location) { m.Content = &v1.Message_Location{Location: c} }, (*v1.Message).GetLocation,
		tokenField("Location_X", func(c *v1.Location) *string { return &c.LocationX }),
		tokenField("Location_Y", func(c *v1.Location) *string { return &c.LocationY }),
		tokenField("Scale", func(c *v1.Location) *string { return &c.Scale }),
		textField("Label", func(c *v1.Location) *string { return &c.Label }),
	),
	newKind("link", func(m *v1.Message, c *v1.Link) { m.Content = &v1.Message_Link{Link: c} }, (*v1.Message).GetLink,
		textField("Title", func(c *v1.Link) *string { return &c.Title }),
		textField("Description", func(c *v1.Link) *string { return &c.Description }),
		tokenField("Url", func(c *v1.Link) *string { return &c.Url }),
	),
	newKind("file", func(m *v1.Message, c *v1.File) { m.Content = &v1.Message_File{File: c} }, (*v1.Message).GetFile,
		textField("Title", func(c *v1.File) *string { return &c.Title }),
		textField("Description", func(c *v1.File) *string { return &c.Description }),
		tokenField("FileKey", func(c *v1.File) *string { return &c.FileKey }),
		tokenField("FileMd5", func(c *v1.File) *string { return &c.FileMd5 }),
		numberField("FileTotalLen", func(c *v1.File) **int64 { return &c.FileTotalLen }),
	),
	newKind("miniprogrampage", func(m *v1.Message, c *v1.MiniProgramPage) {
		m.Content = &v1.Message_Miniprogrampage{Miniprogrampage: c}
	}, (*v1.Message).GetMiniprogrampage,
		textField("Title", func(c *v1.MiniProgramPage) *string { return &c.Title }),
		tokenField("AppId", func(c *v1.MiniProgramPage) *string { return &c.Appid }),
		tokenField("PagePath", func(c *v1.MiniProgramPage) *string { return &c.PagePath }),
		tokenField("ThumbUrl", func(c *v1.MiniProgramPage) *string { return &c.ThumbUrl }),
		tokenField("ThumbMediaId", func(c *v1.MiniProgramPage) *string { return &c.ThumbMediaId }),
	),
	newKind("device_text", func(m *v1.Message, c *v1.DeviceText) { m.Content = &v1.Message_DeviceText{DeviceText: c} }, (*v1.Message).GetDeviceText,
		tokenField("DeviceType", func(c *v1.DeviceText) *string { return &c.DeviceType }),
		tokenField("DeviceID", func(c *v1.DeviceText) *string { return &c.DeviceId }),
		numberField("SessionID", func(c *v1.DeviceText) **int64 { return &c.SessionId }),
		tokenField("Content", func(c *v1.DeviceText) *string { return &c.Content }),
		tokenField("OpenID", func(c *v1.DeviceText) *string { return &c.Openid }),
	),
	newKind("device_event", func(m *v1.Message, c *v1.DeviceEvent) { m.Content = &v1.Message_DeviceEvent{DeviceEvent: c} }, (*v1.Message).GetDeviceEvent,
		tokenField("Event", func(c *v1.DeviceEvent) *string { return &c.Event }),
		tokenField("DeviceType", func(c *v1.DeviceEvent) *string { return &c.DeviceType }),
		tokenField("DeviceID", func(c *v1.DeviceEvent) *string { return &c.DeviceId }),
		numberField("SessionID", func(c *v1.DeviceEvent) **int64 { return &c.SessionId }),
		tokenField("Content", func(c *v1.DeviceEvent) *string { return &c.Content }),
		tokenField("OpenID", func(c *v1.DeviceEvent) *string { return &c.Openid }),
		numberField("OpType", func(c *v1.DeviceEvent) **int32 { return &c.OpType }),
	),
	kind[v1.Message]{name: "event", read: readEvent, write: writeEvent},
)

var video = []field[v1.Video]{
	tokenField("MediaId", func(c *v1.Video) *string { return &c.MediaId }),
	tokenField("ThumbMediaId", func(c *v1.Video) *string { return &c.ThumbMediaId }),
}

// eventFields has the fields of every event.
var eventFields = []field[v1.Event]{
	tokenField("Event", func(e *v1.Event) *string { return &e.Event }),
	tokenField("EventKey", func(e *v1.Event) *string { return &e.EventKey }),
}

func readEvent(d *Document, m *v1.Message) {
	e := &v1.Event{}
	m.Content = &v1.Message_Event{Event: e}
	setFields(d, 0, e, eventFields)
	if k := eventKinds.findKind(e.Event); k != nil {
		k.read(d, e)
	} else {
		e.Kind = &v1.Event_Unknown{Unknown: &v1.UnknownEvent{}}
	}
}

func writeEvent(b []byte, m *v1.Message, extra elements) []byte {
	e := m.GetEvent()
	if e == nil {
		return b
	}
	b = writeFields(b, e, eventFields, extra)
	for _, k := range eventKinds.list {
		b = k.write(b, e, extra)
	}
	return b
}

// scenePrefix is the prefix of the scene in the EventKey of a subscribe event by QR code.
const scenePrefix = "qrscene_"

// eventKinds has a kind for each Event.
var eventKinds = tableOf(slices.Concat(basicKinds, chatKinds, jobKinds, accountKinds, cardKinds, placeKinds)...)

// basicKinds are the events of event.proto.
var basicKinds = []kind[v1.Event]{
	newKind("subscribe", func(e *v1.Event, k *v1.SubscribeEvent) {
		// EventKey may also be "last_trade_no_…" or "scanbarcode|…": these are not scenes.
		if scene, ok := strings.CutPrefix(e.EventKey, scenePrefix); ok {
			k.Scene = scene
		}
		e.Kind = &v1.Event_Subscribe{Subscribe: k}
	}, (*v1.Event).GetSubscribe,
		tokenField("Ticket", func(k *v1.SubscribeEvent) *string { return &k.Ticket }),
	),
	newKind("unsubscribe", func(e *v1.Event, k *v1.UnsubscribeEvent) { e.Kind = &v1.Event_Unsubscribe{Unsubscribe: k} }, (*v1.Event).GetUnsubscribe),
	newKind("SCAN", func(e *v1.Event, k *v1.ScanEvent) {
		k.Scene = strings.TrimPrefix(e.EventKey, scenePrefix)
		e.Kind = &v1.Event_Scan{Scan: k}
	}, (*v1.Event).GetScan,
		tokenField("Ticket", func(k *v1.ScanEvent) *string { return &k.Ticket }),
	),
	newKind("LOCATION", func(e *v1.Event, k *v1.LocationEvent) { e.Kind = &v1.Event_Location{Location: k} }, (*v1.Event).GetLocation,
		tokenField("Latitude", func(k *v1.LocationEvent) *string { return &k.Latitude }),
		tokenField("Longitude", func(k *v1.LocationEvent) *string { return &k.Longitude }),
		tokenField("Precision", func(k *v1.LocationEvent) *string { return &k.Precision }),
	),
	newKind("CLICK", func(e *v1.Event, k *v1.ClickEvent) { e.Kind = &v1.Event_Click{Click: k} }, (*v1.Event).GetClick),
	newKind("VIEW", func(e *v1.Event, k *v1.ViewEvent) { e.Kind = &v1.Event_View{View: k} }, (*v1.Event).GetView,
		tokenField("MenuId", func(k *v1.ViewEvent) *string { return &k.MenuId }),
	),
}

// Kind is a kind of message or event.
type Kind struct {
	Name string                       // MsgType or Event, as WeChat writes it
	Arm  protoreflect.FieldDescriptor // of Message's content, of Event's kind
}

// Kinds returns the kinds of messages, except event, and the kinds of events, in the order of their tables.
func Kinds() (messages, events []Kind) {
	messages = slices.DeleteFunc(armsOf(messageKinds, "content"), func(k Kind) bool { return k.Name == "event" })
	return messages, armsOf(eventKinds, "kind")
}

// armsOf returns the kinds of a table, each with the arm that it sets.
func armsOf[P any, M interface {
	*P
	proto.Message
}](table *kindTable[P], oneof protoreflect.Name) []Kind {
	var all []Kind
	for _, k := range table.list {
		p := M(new(P))
		k.read(&Document{nodes: []node{{end: 1}}}, p)
		m := p.ProtoReflect()
		all = append(all, Kind{k.name, m.WhichOneof(m.Descriptor().Oneofs().ByName(oneof))})
	}
	return all
}
