package wechat

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "wxgate/proto/wechat/v1"
)

// The tables of kinds say which element of a callback goes into which field, both ways. A new kind is a message in
// proto/wechat/v1 and an entry here; the tables of events are grouped into files as the .proto files are. A field holds
// words where people write them, else a token.

// envelope is what every callback has.
var envelope = []field[v1.Message]{
	token("ToUserName", func(m *v1.Message) *string { return &m.ToUserName }),
	token("FromUserName", func(m *v1.Message) *string { return &m.FromUserName }),
	positive("CreateTime", func(m *v1.Message) *int64 { return &m.CreateTime }),
	token("MsgType", func(m *v1.Message) *string { return &m.MsgType }),
	positive("MsgId", func(m *v1.Message) *int64 { return &m.MsgId }),
	token("MsgDataId", func(m *v1.Message) *string { return &m.MsgDataId }),
	positive("Idx", func(m *v1.Message) *int32 { return &m.Idx }),
}

// messageKinds has a kind for each MsgType.
var messageKinds = tableOf(
	newKind("text", func(m *v1.Message, c *v1.Text) { m.Content = &v1.Message_Text{Text: c} }, (*v1.Message).GetText,
		words("Content", func(c *v1.Text) *string { return &c.Content }),
		token("bizmsgmenuid", func(c *v1.Text) *string { return &c.Bizmsgmenuid }),
	),
	newKind("image", func(m *v1.Message, c *v1.Image) { m.Content = &v1.Message_Image{Image: c} }, (*v1.Message).GetImage,
		token("PicUrl", func(c *v1.Image) *string { return &c.PicUrl }),
		token("MediaId", func(c *v1.Image) *string { return &c.MediaId }),
	),
	newKind("voice", func(m *v1.Message, c *v1.Voice) { m.Content = &v1.Message_Voice{Voice: c} }, (*v1.Message).GetVoice,
		token("MediaId", func(c *v1.Voice) *string { return &c.MediaId }),
		token("Format", func(c *v1.Voice) *string { return &c.Format }),
		words("Recognition", func(c *v1.Voice) *string { return &c.Recognition }),
		token("MediaId16K", func(c *v1.Voice) *string { return &c.MediaId_16K }),
	),
	newKind("video", func(m *v1.Message, c *v1.Video) { m.Content = &v1.Message_Video{Video: c} }, (*v1.Message).GetVideo, video...),
	newKind("shortvideo", func(m *v1.Message, c *v1.Video) { m.Content = &v1.Message_Shortvideo{Shortvideo: c} }, (*v1.Message).GetShortvideo, video...),
	newKind("location", func(m *v1.Message, c *v1.Location) { m.Content = &v1.Message_Location{Location: c} }, (*v1.Message).GetLocation,
		token("Location_X", func(c *v1.Location) *string { return &c.LocationX }),
		token("Location_Y", func(c *v1.Location) *string { return &c.LocationY }),
		token("Scale", func(c *v1.Location) *string { return &c.Scale }),
		words("Label", func(c *v1.Location) *string { return &c.Label }),
	),
	newKind("link", func(m *v1.Message, c *v1.Link) { m.Content = &v1.Message_Link{Link: c} }, (*v1.Message).GetLink,
		words("Title", func(c *v1.Link) *string { return &c.Title }),
		words("Description", func(c *v1.Link) *string { return &c.Description }),
		token("Url", func(c *v1.Link) *string { return &c.Url }),
	),
	newKind("file", func(m *v1.Message, c *v1.File) { m.Content = &v1.Message_File{File: c} }, (*v1.Message).GetFile,
		words("Title", func(c *v1.File) *string { return &c.Title }),
		words("Description", func(c *v1.File) *string { return &c.Description }),
		token("FileKey", func(c *v1.File) *string { return &c.FileKey }),
		token("FileMd5", func(c *v1.File) *string { return &c.FileMd5 }),
		number("FileTotalLen", func(c *v1.File) **int64 { return &c.FileTotalLen }),
	),
	newKind("miniprogrampage", func(m *v1.Message, c *v1.MiniProgramPage) {
		m.Content = &v1.Message_Miniprogrampage{Miniprogrampage: c}
	}, (*v1.Message).GetMiniprogrampage,
		words("Title", func(c *v1.MiniProgramPage) *string { return &c.Title }),
		token("AppId", func(c *v1.MiniProgramPage) *string { return &c.Appid }),
		token("PagePath", func(c *v1.MiniProgramPage) *string { return &c.PagePath }),
		token("ThumbUrl", func(c *v1.MiniProgramPage) *string { return &c.ThumbUrl }),
		token("ThumbMediaId", func(c *v1.MiniProgramPage) *string { return &c.ThumbMediaId }),
	),
	newKind("device_text", func(m *v1.Message, c *v1.DeviceText) { m.Content = &v1.Message_DeviceText{DeviceText: c} }, (*v1.Message).GetDeviceText,
		token("DeviceType", func(c *v1.DeviceText) *string { return &c.DeviceType }),
		token("DeviceID", func(c *v1.DeviceText) *string { return &c.DeviceId }),
		number("SessionID", func(c *v1.DeviceText) **int64 { return &c.SessionId }),
		token("Content", func(c *v1.DeviceText) *string { return &c.Content }),
		token("OpenID", func(c *v1.DeviceText) *string { return &c.Openid }),
	),
	newKind("device_event", func(m *v1.Message, c *v1.DeviceEvent) { m.Content = &v1.Message_DeviceEvent{DeviceEvent: c} }, (*v1.Message).GetDeviceEvent,
		token("Event", func(c *v1.DeviceEvent) *string { return &c.Event }),
		token("DeviceType", func(c *v1.DeviceEvent) *string { return &c.DeviceType }),
		token("DeviceID", func(c *v1.DeviceEvent) *string { return &c.DeviceId }),
		number("SessionID", func(c *v1.DeviceEvent) **int64 { return &c.SessionId }),
		token("Content", func(c *v1.DeviceEvent) *string { return &c.Content }),
		token("OpenID", func(c *v1.DeviceEvent) *string { return &c.Openid }),
		number("OpType", func(c *v1.DeviceEvent) **int32 { return &c.OpType }),
	),
	kind[v1.Message]{name: "event", read: readEvent, write: writeEvent},
)

var video = []field[v1.Video]{
	token("MediaId", func(c *v1.Video) *string { return &c.MediaId }),
	token("ThumbMediaId", func(c *v1.Video) *string { return &c.ThumbMediaId }),
}

// event is what every event has.
var event = []field[v1.Event]{
	token("Event", func(e *v1.Event) *string { return &e.Event }),
	token("EventKey", func(e *v1.Event) *string { return &e.EventKey }),
}

func readEvent(d *Document, m *v1.Message) {
	e := &v1.Event{}
	m.Content = &v1.Message_Event{Event: e}
	fill(d, 0, e, event)
	if k := eventKinds.find(e.Event); k != nil {
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
	b = writeFields(b, e, event, extra)
	for _, k := range eventKinds.list {
		b = k.write(b, e, extra)
	}
	return b
}

// scenePrefix stands before the scene in the EventKey of a subscribe by QR code.
const scenePrefix = "qrscene_"

// eventKinds has a kind for each Event.
var eventKinds = tableOf(slices.Concat(basicKinds, chatKinds, jobKinds, accountKinds, cardKinds, placeKinds)...)

// basicKinds are the events of event.proto itself.
var basicKinds = []kind[v1.Event]{
	newKind("subscribe", func(e *v1.Event, k *v1.SubscribeEvent) {
		// EventKey may also be "last_trade_no_…" or "scanbarcode|…": no scenes.
		if scene, ok := strings.CutPrefix(e.EventKey, scenePrefix); ok {
			k.Scene = scene
		}
		e.Kind = &v1.Event_Subscribe{Subscribe: k}
	}, (*v1.Event).GetSubscribe,
		token("Ticket", func(k *v1.SubscribeEvent) *string { return &k.Ticket }),
	),
	newKind("unsubscribe", func(e *v1.Event, k *v1.UnsubscribeEvent) { e.Kind = &v1.Event_Unsubscribe{Unsubscribe: k} }, (*v1.Event).GetUnsubscribe),
	newKind("SCAN", func(e *v1.Event, k *v1.ScanEvent) {
		k.Scene = strings.TrimPrefix(e.EventKey, scenePrefix)
		e.Kind = &v1.Event_Scan{Scan: k}
	}, (*v1.Event).GetScan,
		token("Ticket", func(k *v1.ScanEvent) *string { return &k.Ticket }),
	),
	newKind("LOCATION", func(e *v1.Event, k *v1.LocationEvent) { e.Kind = &v1.Event_Location{Location: k} }, (*v1.Event).GetLocation,
		token("Latitude", func(k *v1.LocationEvent) *string { return &k.Latitude }),
		token("Longitude", func(k *v1.LocationEvent) *string { return &k.Longitude }),
		token("Precision", func(k *v1.LocationEvent) *string { return &k.Precision }),
	),
	newKind("CLICK", func(e *v1.Event, k *v1.ClickEvent) { e.Kind = &v1.Event_Click{Click: k} }, (*v1.Event).GetClick),
	newKind("VIEW", func(e *v1.Event, k *v1.ViewEvent) { e.Kind = &v1.Event_View{View: k} }, (*v1.Event).GetView,
		token("MenuId", func(k *v1.ViewEvent) *string { return &k.MenuId }),
	),
}

// Kind is a kind of message, or of event.
type Kind struct {
	Name string                       // MsgType or Event, as WeChat writes it
	Arm  protoreflect.FieldDescriptor // of Message's content, of Event's kind
}

// Kinds returns the kinds of messages but event, and those of events, in the order of their tables.
func Kinds() (messages, events []Kind) {
	messages = slices.DeleteFunc(armsOf(messageKinds, "content"), func(k Kind) bool { return k.Name == "event" })
	return messages, armsOf(eventKinds, "kind")
}

// armsOf returns the kinds of a table by the arm that each fills.
func armsOf[P any, M interface {
	*P
	proto.Message
}](table *kinds[P], oneof protoreflect.Name) []Kind {
	var all []Kind
	for _, k := range table.list {
		p := M(new(P))
		k.read(&Document{nodes: []node{{end: 1}}}, p)
		m := p.ProtoReflect()
		all = append(all, Kind{k.name, m.WhichOneof(m.Descriptor().Oneofs().ByName(oneof))})
	}
	return all
}
