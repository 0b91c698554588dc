package wechat

import v1 "wxgate/proto/wechat/v1"

// chatKinds are the events of a chat, those of event_chat.proto.
var chatKinds = []kind[v1.Event]{
	newKind("scancode_push",
		func(e *v1.Event, k *v1.ScanCodeEvent) { e.Kind = &v1.Event_ScancodePush{ScancodePush: k} },
		(*v1.Event).GetScancodePush, scanCode...),
	newKind("scancode_waitmsg",
		func(e *v1.Event, k *v1.ScanCodeEvent) { e.Kind = &v1.Event_ScancodeWaitmsg{ScancodeWaitmsg: k} },
		(*v1.Event).GetScancodeWaitmsg, scanCode...),
	newKind("pic_sysphoto",
		func(e *v1.Event, k *v1.PicEvent) { e.Kind = &v1.Event_PicSysphoto{PicSysphoto: k} },
		(*v1.Event).GetPicSysphoto, pic...),
	newKind("pic_photo_or_album",
		func(e *v1.Event, k *v1.PicEvent) { e.Kind = &v1.Event_PicPhotoOrAlbum{PicPhotoOrAlbum: k} },
		(*v1.Event).GetPicPhotoOrAlbum, pic...),
	newKind("pic_weixin",
		func(e *v1.Event, k *v1.PicEvent) { e.Kind = &v1.Event_PicWeixin{PicWeixin: k} },
		(*v1.Event).GetPicWeixin, pic...),
	newKind("location_select",
		func(e *v1.Event, k *v1.LocationSelectEvent) { e.Kind = &v1.Event_LocationSelect{LocationSelect: k} },
		(*v1.Event).GetLocationSelect,
		messageField("SendLocationInfo", func(k *v1.LocationSelectEvent) **v1.SendLocationInfo { return &k.SendLocationInfo },
			func(c *v1.SendLocationInfo) *elements { return &c.Extra },
			tokenField("Location_X", func(c *v1.SendLocationInfo) *string { return &c.LocationX }),
			tokenField("Location_Y", func(c *v1.SendLocationInfo) *string { return &c.LocationY }),
			tokenField("Scale", func(c *v1.SendLocationInfo) *string { return &c.Scale }),
			textField("Label", func(c *v1.SendLocationInfo) *string { return &c.Label }),
			textField("Poiname", func(c *v1.SendLocationInfo) *string { return &c.Poiname }),
		),
	),
	newKind("view_miniprogram",
		func(e *v1.Event, k *v1.ViewMiniprogramEvent) { e.Kind = &v1.Event_ViewMiniprogram{ViewMiniprogram: k} },
		(*v1.Event).GetViewMiniprogram,
		tokenField("MenuId", func(k *v1.ViewMiniprogramEvent) *string { return &k.MenuId }),
	),
	newKind("ENTER", func(e *v1.Event, k *v1.EnterEvent) { e.Kind = &v1.Event_Enter{Enter: k} }, (*v1.Event).GetEnter),
	newKind("user_enter_tempsession",
		func(e *v1.Event, k *v1.UserEnterTempsessionEvent) {
			e.Kind = &v1.Event_UserEnterTempsession{UserEnterTempsession: k}
		},
		(*v1.Event).GetUserEnterTempsession,
		tokenField("SessionFrom", func(k *v1.UserEnterTempsessionEvent) *string { return &k.SessionFrom }),
	),
}

var scanCode = []field[v1.ScanCodeEvent]{
	messageField("ScanCodeInfo", func(k *v1.ScanCodeEvent) **v1.ScanCodeInfo { return &k.ScanCodeInfo },
		func(c *v1.ScanCodeInfo) *elements { return &c.Extra },
		tokenField("ScanType", func(c *v1.ScanCodeInfo) *string { return &c.ScanType }),
		textField("ScanResult", func(c *v1.ScanCodeInfo) *string { return &c.ScanResult }),
	),
}

var pic = []field[v1.PicEvent]{
	messageField("SendPicsInfo", func(k *v1.PicEvent) **v1.SendPicsInfo { return &k.SendPicsInfo },
		func(c *v1.SendPicsInfo) *elements { return &c.Extra },
		numberField("Count", func(c *v1.SendPicsInfo) **int32 { return &c.Count }),
		repeatedField("PicList", func(c *v1.SendPicsInfo) *[]*v1.PicList { return &c.PicList },
			func(c *v1.PicList) *elements { return &c.Extra },
			repeatedField("item", func(c *v1.PicList) *[]*v1.PicItem { return &c.Item },
				func(c *v1.PicItem) *elements { return &c.Extra },
				tokenField("PicMd5Sum", func(c *v1.PicItem) *string { return &c.PicMd5Sum }),
			),
		),
	),
}
