package wechat

import (
	"strings"

	v1 "wxgate/proto/wechat/v1"
)

// The tables in this file say which element of a callback goes into which field. A new kind is a message in
// proto/wechat/v1 and an entry here.

// envelope is what every callback has.
var envelope = []field[v1.Message]{
	token("ToUserName", func(m *v1.Message) *string { return &m.ToUserName }),
	token("FromUserName", func(m *v1.Message) *string { return &m.FromUserName }),
	number("CreateTime", func(m *v1.Message) *int64 { return &m.CreateTime }),
	token("MsgType", func(m *v1.Message) *string { return &m.MsgType }),
	number("MsgId", func(m *v1.Message) *int64 { return &m.MsgId }),
	token("MsgDataId", func(m *v1.Message) *string { return &m.MsgDataId }),
	number("Idx", func(m *v1.Message) *int32 { return &m.Idx }),
}

// messageKinds is keyed by MsgType in lower case.
var messageKinds = map[string]func(*Document, *v1.Message){
	"text": kind(func(m *v1.Message, c *v1.Text) { m.Content = &v1.Message_Text{Text: c} },
		words("Content", func(c *v1.Text) *string { return &c.Content }),
		token("bizmsgmenuid", func(c *v1.Text) *string { return &c.Bizmsgmenuid }),
	),
	"image": kind(func(m *v1.Message, c *v1.Image) { m.Content = &v1.Message_Image{Image: c} },
		token("PicUrl", func(c *v1.Image) *string { return &c.PicUrl }),
		token("MediaId", func(c *v1.Image) *string { return &c.MediaId }),
	),
	"voice": kind(func(m *v1.Message, c *v1.Voice) { m.Content = &v1.Message_Voice{Voice: c} },
		token("MediaId", func(c *v1.Voice) *string { return &c.MediaId }),
		token("Format", func(c *v1.Voice) *string { return &c.Format }),
		words("Recognition", func(c *v1.Voice) *string { return &c.Recognition }),
		token("MediaId16K", func(c *v1.Voice) *string { return &c.MediaId_16K }),
	),
	"video":      kind(func(m *v1.Message, c *v1.Video) { m.Content = &v1.Message_Video{Video: c} }, video...),
	"shortvideo": kind(func(m *v1.Message, c *v1.Video) { m.Content = &v1.Message_Shortvideo{Shortvideo: c} }, video...),
	"location": kind(func(m *v1.Message, c *v1.Location) { m.Content = &v1.Message_Location{Location: c} },
		token("Location_X", func(c *v1.Location) *string { return &c.LocationX }),
		token("Location_Y", func(c *v1.Location) *string { return &c.LocationY }),
		token("Scale", func(c *v1.Location) *string { return &c.Scale }),
		words("Label", func(c *v1.Location) *string { return &c.Label }),
	),
	"link": kind(func(m *v1.Message, c *v1.Link) { m.Content = &v1.Message_Link{Link: c} },
		words("Title", func(c *v1.Link) *string { return &c.Title }),
		words("Description", func(c *v1.Link) *string { return &c.Description }),
		token("Url", func(c *v1.Link) *string { return &c.Url }),
	),
	"event": readEvent,
}

var video = []field[v1.Video]{
	token("MediaId", func(c *v1.Video) *string { return &c.MediaId }),
	token("ThumbMediaId", func(c *v1.Video) *string { return &c.ThumbMediaId }),
}

// event is what every event has.
var event = []field[v1.Event]{
	token("Event", func(e *v1.Event) *string { return &e.Event }),
	token("EventKey", func(e *v1.Event) *string { return &e.EventKey }),
}

// eventKinds is keyed by Event in lower case.
var eventKinds = map[string]func(*Document, *v1.Event){
	"subscribe": kind(func(e *v1.Event, k *v1.SubscribeEvent) {
		// EventKey may also be "last_trade_no_…" or "scanbarcode|…": no scenes.
		if scene, ok := strings.CutPrefix(e.EventKey, "qrscene_"); ok {
			k.Scene = scene
		}
		e.Kind = &v1.Event_Subscribe{Subscribe: k}
	},
		token("Ticket", func(k *v1.SubscribeEvent) *string { return &k.Ticket }),
	),
	"unsubscribe": kind(func(e *v1.Event, k *v1.UnsubscribeEvent) { e.Kind = &v1.Event_Unsubscribe{Unsubscribe: k} }),
	"scan": kind(func(e *v1.Event, k *v1.ScanEvent) {
		k.Scene = e.EventKey
		e.Kind = &v1.Event_Scan{Scan: k}
	},
		token("Ticket", func(k *v1.ScanEvent) *string { return &k.Ticket }),
	),
	"location": kind(func(e *v1.Event, k *v1.LocationEvent) { e.Kind = &v1.Event_Location{Location: k} },
		token("Latitude", func(k *v1.LocationEvent) *string { return &k.Latitude }),
		token("Longitude", func(k *v1.LocationEvent) *string { return &k.Longitude }),
		token("Precision", func(k *v1.LocationEvent) *string { return &k.Precision }),
	),
	"click": kind(func(e *v1.Event, k *v1.ClickEvent) { e.Kind = &v1.Event_Click{Click: k} }),
	"view": kind(func(e *v1.Event, k *v1.ViewEvent) { e.Kind = &v1.Event_View{View: k} },
		token("MenuId", func(k *v1.ViewEvent) *string { return &k.MenuId }),
	),
}

// kind returns the function that reads a K with its fields and puts it into P, a Message or an Event.
func kind[P, K any](put func(*P, *K), fields ...field[K]) func(*Document, *P) {
	return func(d *Document, p *P) {
		k := new(K)
		fill(d, k, fields)
		put(p, k)
	}
}

func readEvent(d *Document, m *v1.Message) {
	e := &v1.Event{}
	fill(d, e, event)
	m.Content = &v1.Message_Event{Event: e}
	read, ok := eventKinds[strings.ToLower(e.Event)]
	if !ok {
		e.Kind = &v1.Event_Unknown{Unknown: &v1.UnknownEvent{}}
		return
	}
	read(d, e)
}

func unknownMessage(_ *Document, m *v1.Message) {
	m.Content = &v1.Message_Unknown{Unknown: &v1.Unknown{}}
}
