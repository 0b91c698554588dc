package wechat

import v1 "wxgate/proto/wechat/v1"

// placeKinds are the events of stores, beacons, products and guides, those of event_place.proto.
var placeKinds = []kind[v1.Event]{
	newKind("poi_check_notify",
		func(e *v1.Event, k *v1.PoiCheckNotifyEvent) { e.Kind = &v1.Event_PoiCheckNotify{PoiCheckNotify: k} },
		(*v1.Event).GetPoiCheckNotify,
		tokenField("UniqId", func(k *v1.PoiCheckNotifyEvent) *string { return &k.UniqId }),
		tokenField("PoiId", func(k *v1.PoiCheckNotifyEvent) *string { return &k.PoiId }),
		tokenField("Result", func(k *v1.PoiCheckNotifyEvent) *string { return &k.Result }),
		withSpelling("msg", textField("Msg", func(k *v1.PoiCheckNotifyEvent) *string { return &k.Msg })),
	),
	newKind("apply_merchant_audit_info",
		func(e *v1.Event, k *v1.StoreAuditEvent) {
			e.Kind = &v1.Event_ApplyMerchantAuditInfo{ApplyMerchantAuditInfo: k}
		},
		(*v1.Event).GetApplyMerchantAuditInfo, storeAudit...),
	newKind("modify_store_audit_info",
		func(e *v1.Event, k *v1.StoreAuditEvent) {
			e.Kind = &v1.Event_ModifyStoreAuditInfo{ModifyStoreAuditInfo: k}
		},
		(*v1.Event).GetModifyStoreAuditInfo, storeAudit...),
	newKind("add_store_audit_info",
		func(e *v1.Event, k *v1.AddStoreAuditInfoEvent) {
			e.Kind = &v1.Event_AddStoreAuditInfo{AddStoreAuditInfo: k}
		},
		(*v1.Event).GetAddStoreAuditInfo,
		numberField("audit_id", func(k *v1.AddStoreAuditInfoEvent) **int64 { return &k.AuditId }),
		numberField("status", func(k *v1.AddStoreAuditInfoEvent) **int32 { return &k.Status }),
		textField("reason", func(k *v1.AddStoreAuditInfoEvent) *string { return &k.Reason }),
		numberField("is_upgrade", func(k *v1.AddStoreAuditInfoEvent) **int32 { return &k.IsUpgrade }),
		numberField("poiid", func(k *v1.AddStoreAuditInfoEvent) **int64 { return &k.Poiid }),
	),
	newKind("create_map_poi_audit_info",
		func(e *v1.Event, k *v1.CreateMapPoiAuditInfoEvent) {
			e.Kind = &v1.Event_CreateMapPoiAuditInfo{CreateMapPoiAuditInfo: k}
		},
		(*v1.Event).GetCreateMapPoiAuditInfo,
		numberField("audit_id", func(k *v1.CreateMapPoiAuditInfoEvent) **int64 { return &k.AuditId }),
		numberField("status", func(k *v1.CreateMapPoiAuditInfoEvent) **int32 { return &k.Status }),
		tokenField("map_poi_id", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.MapPoiId }),
		textField("name", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Name }),
		textField("address", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Address }),
		tokenField("latitude", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Latitude }),
		tokenField("longitude", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Longitude }),
		textField("sh_remark", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.ShRemark }),
	),
	newKind("WifiConnected",
		func(e *v1.Event, k *v1.WifiConnectedEvent) { e.Kind = &v1.Event_WifiConnected{WifiConnected: k} },
		(*v1.Event).GetWifiConnected,
		numberField("ConnectTime", func(k *v1.WifiConnectedEvent) **int64 { return &k.ConnectTime }),
		numberField("ExpireTime", func(k *v1.WifiConnectedEvent) **int64 { return &k.ExpireTime }),
		tokenField("VendorId", func(k *v1.WifiConnectedEvent) *string { return &k.VendorId }),
		tokenField("PlaceId", func(k *v1.WifiConnectedEvent) *string { return &k.PlaceId }),
		tokenField("DeviceNo", func(k *v1.WifiConnectedEvent) *string { return &k.DeviceNo }),
	),
	newKind("ShakearoundUserShake",
		func(e *v1.Event, k *v1.ShakearoundUserShakeEvent) {
			e.Kind = &v1.Event_ShakearoundUserShake{ShakearoundUserShake: k}
		},
		(*v1.Event).GetShakearoundUserShake,
		messageField("ChosenBeacon", func(k *v1.ShakearoundUserShakeEvent) **v1.Beacon { return &k.ChosenBeacon },
			func(c *v1.Beacon) *elements { return &c.Extra }, beacon...),
		messageField("AroundBeacons", func(k *v1.ShakearoundUserShakeEvent) **v1.AroundBeacons { return &k.AroundBeacons },
			func(c *v1.AroundBeacons) *elements { return &c.Extra },
			repeatedField("AroundBeacon", func(c *v1.AroundBeacons) *[]*v1.Beacon { return &c.AroundBeacon },
				func(c *v1.Beacon) *elements { return &c.Extra }, beacon...),
		),
	),
	newKind("merchant_order",
		func(e *v1.Event, k *v1.MerchantOrderEvent) { e.Kind = &v1.Event_MerchantOrder{MerchantOrder: k} },
		(*v1.Event).GetMerchantOrder,
		tokenField("OrderId", func(k *v1.MerchantOrderEvent) *string { return &k.OrderId }),
		numberField("OrderStatus", func(k *v1.MerchantOrderEvent) **int32 { return &k.OrderStatus }),
		tokenField("ProductId", func(k *v1.MerchantOrderEvent) *string { return &k.ProductId }),
		tokenField("SkuInfo", func(k *v1.MerchantOrderEvent) *string { return &k.SkuInfo }),
	),
	newKind("user_scan_product",
		func(e *v1.Event, k *v1.UserScanProductEvent) { e.Kind = &v1.Event_UserScanProduct{UserScanProduct: k} },
		(*v1.Event).GetUserScanProduct,
		tokenField("KeyStandard", func(k *v1.UserScanProductEvent) *string { return &k.KeyStandard }),
		tokenField("KeyStr", func(k *v1.UserScanProductEvent) *string { return &k.KeyStr }),
		tokenField("Country", func(k *v1.UserScanProductEvent) *string { return &k.Country }),
		tokenField("Province", func(k *v1.UserScanProductEvent) *string { return &k.Province }),
		tokenField("City", func(k *v1.UserScanProductEvent) *string { return &k.City }),
		numberField("Sex", func(k *v1.UserScanProductEvent) **int32 { return &k.Sex }),
		numberField("Scene", func(k *v1.UserScanProductEvent) **int32 { return &k.Scene }),
		tokenField("ExtInfo", func(k *v1.UserScanProductEvent) *string { return &k.ExtInfo }),
	),
	newKind("user_scan_product_enter_session",
		func(e *v1.Event, k *v1.UserScanProductEnterSessionEvent) {
			e.Kind = &v1.Event_UserScanProductEnterSession{UserScanProductEnterSession: k}
		},
		(*v1.Event).GetUserScanProductEnterSession,
		tokenField("KeyStandard", func(k *v1.UserScanProductEnterSessionEvent) *string { return &k.KeyStandard }),
		tokenField("KeyStr", func(k *v1.UserScanProductEnterSessionEvent) *string { return &k.KeyStr }),
		tokenField("ExtInfo", func(k *v1.UserScanProductEnterSessionEvent) *string { return &k.ExtInfo }),
	),
	newKind("user_scan_product_async",
		func(e *v1.Event, k *v1.UserScanProductAsyncEvent) {
			e.Kind = &v1.Event_UserScanProductAsync{UserScanProductAsync: k}
		},
		(*v1.Event).GetUserScanProductAsync,
		tokenField("KeyStandard", func(k *v1.UserScanProductAsyncEvent) *string { return &k.KeyStandard }),
		tokenField("KeyStr", func(k *v1.UserScanProductAsyncEvent) *string { return &k.KeyStr }),
		tokenField("ExtInfo", func(k *v1.UserScanProductAsyncEvent) *string { return &k.ExtInfo }),
		tokenField("RegionCode", func(k *v1.UserScanProductAsyncEvent) *string { return &k.RegionCode }),
	),
	newKind("user_scan_product_verify_action",
		func(e *v1.Event, k *v1.UserScanProductVerifyActionEvent) {
			e.Kind = &v1.Event_UserScanProductVerifyAction{UserScanProductVerifyAction: k}
		},
		(*v1.Event).GetUserScanProductVerifyAction,
		tokenField("KeyStandard", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.KeyStandard }),
		tokenField("KeyStr", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.KeyStr }),
		tokenField("Result", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.Result }),
		textField("ReasonMsg", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.ReasonMsg }),
	),
	boxedKind("guide_qrcode_scan_event", "GuideScanEvent",
		func(e *v1.Event, k *v1.GuideQrcodeScanEvent) {
			e.Kind = &v1.Event_GuideQrcodeScanEvent{GuideQrcodeScanEvent: k}
		},
		(*v1.Event).GetGuideQrcodeScanEvent, func(c *v1.GuideQrcodeScanEvent) *elements { return &c.Extra },
		tokenField("qrcode_guide_account", func(k *v1.GuideQrcodeScanEvent) *string { return &k.QrcodeGuideAccount }),
		tokenField("qrcode_guide_openid", func(k *v1.GuideQrcodeScanEvent) *string { return &k.QrcodeGuideOpenid }),
		tokenField("openid", func(k *v1.GuideQrcodeScanEvent) *string { return &k.Openid }),
		numberField("action", func(k *v1.GuideQrcodeScanEvent) **int32 { return &k.Action }),
		tokenField("qrcode_info", func(k *v1.GuideQrcodeScanEvent) *string { return &k.QrcodeInfo }),
	),
	boxedKind("guide_invite_result_event", "GuideInviteEvent",
		func(e *v1.Event, k *v1.GuideInviteResultEvent) {
			e.Kind = &v1.Event_GuideInviteResultEvent{GuideInviteResultEvent: k}
		},
		(*v1.Event).GetGuideInviteResultEvent, func(c *v1.GuideInviteResultEvent) *elements { return &c.Extra },
		tokenField("guide_account", func(k *v1.GuideInviteResultEvent) *string { return &k.GuideAccount }),
		tokenField("guide_openid", func(k *v1.GuideInviteResultEvent) *string { return &k.GuideOpenid }),
		numberField("invite_result", func(k *v1.GuideInviteResultEvent) **int32 { return &k.InviteResult }),
	),
	newKind("add_guide_buyer_relation_event",
		func(e *v1.Event, k *v1.AddGuideBuyerRelationEvent) {
			e.Kind = &v1.Event_AddGuideBuyerRelationEvent{AddGuideBuyerRelationEvent: k}
		},
		(*v1.Event).GetAddGuideBuyerRelationEvent),
}

var storeAudit = []field[v1.StoreAuditEvent]{
	numberField("audit_id", func(k *v1.StoreAuditEvent) **int64 { return &k.AuditId }),
	numberField("status", func(k *v1.StoreAuditEvent) **int32 { return &k.Status }),
	textField("reason", func(k *v1.StoreAuditEvent) *string { return &k.Reason }),
}

var beacon = []field[v1.Beacon]{
	tokenField("Uuid", func(c *v1.Beacon) *string { return &c.Uuid }),
	numberField("Major", func(c *v1.Beacon) **int32 { return &c.Major }),
	numberField("Minor", func(c *v1.Beacon) **int32 { return &c.Minor }),
	tokenField("Distance", func(c *v1.Beacon) *string { return &c.Distance }),
}
