package wechat

import v1 "wxgate/proto/wechat/v1"

// placeKinds are the events of stores, beacons, products and guides, those of event_place.proto.
var placeKinds = []kind[v1.Event]{
	newKind("poi_check_notify",
		func(e *v1.Event, k *v1.PoiCheckNotifyEvent) { e.Kind = &v1.Event_PoiCheckNotify{PoiCheckNotify: k} },
		(*v1.Event).GetPoiCheckNotify,
		token("UniqId", func(k *v1.PoiCheckNotifyEvent) *string { return &k.UniqId }),
		token("PoiId", func(k *v1.PoiCheckNotifyEvent) *string { return &k.PoiId }),
		token("Result", func(k *v1.PoiCheckNotifyEvent) *string { return &k.Result }),
		spelled("msg", words("Msg", func(k *v1.PoiCheckNotifyEvent) *string { return &k.Msg })),
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
		number("audit_id", func(k *v1.AddStoreAuditInfoEvent) **int64 { return &k.AuditId }),
		number("status", func(k *v1.AddStoreAuditInfoEvent) **int32 { return &k.Status }),
		words("reason", func(k *v1.AddStoreAuditInfoEvent) *string { return &k.Reason }),
		number("is_upgrade", func(k *v1.AddStoreAuditInfoEvent) **int32 { return &k.IsUpgrade }),
		number("poiid", func(k *v1.AddStoreAuditInfoEvent) **int64 { return &k.Poiid }),
	),
	newKind("create_map_poi_audit_info",
		func(e *v1.Event, k *v1.CreateMapPoiAuditInfoEvent) {
			e.Kind = &v1.Event_CreateMapPoiAuditInfo{CreateMapPoiAuditInfo: k}
		},
		(*v1.Event).GetCreateMapPoiAuditInfo,
		number("audit_id", func(k *v1.CreateMapPoiAuditInfoEvent) **int64 { return &k.AuditId }),
		number("status", func(k *v1.CreateMapPoiAuditInfoEvent) **int32 { return &k.Status }),
		token("map_poi_id", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.MapPoiId }),
		words("name", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Name }),
		words("address", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Address }),
		token("latitude", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Latitude }),
		token("longitude", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.Longitude }),
		words("sh_remark", func(k *v1.CreateMapPoiAuditInfoEvent) *string { return &k.ShRemark }),
	),
	newKind("WifiConnected",
		func(e *v1.Event, k *v1.WifiConnectedEvent) { e.Kind = &v1.Event_WifiConnected{WifiConnected: k} },
		(*v1.Event).GetWifiConnected,
		number("ConnectTime", func(k *v1.WifiConnectedEvent) **int64 { return &k.ConnectTime }),
		number("ExpireTime", func(k *v1.WifiConnectedEvent) **int64 { return &k.ExpireTime }),
		token("VendorId", func(k *v1.WifiConnectedEvent) *string { return &k.VendorId }),
		token("PlaceId", func(k *v1.WifiConnectedEvent) *string { return &k.PlaceId }),
		token("DeviceNo", func(k *v1.WifiConnectedEvent) *string { return &k.DeviceNo }),
	),
	newKind("ShakearoundUserShake",
		func(e *v1.Event, k *v1.ShakearoundUserShakeEvent) {
			e.Kind = &v1.Event_ShakearoundUserShake{ShakearoundUserShake: k}
		},
		(*v1.Event).GetShakearoundUserShake,
		one("ChosenBeacon", func(k *v1.ShakearoundUserShakeEvent) **v1.Beacon { return &k.ChosenBeacon },
			func(c *v1.Beacon) *elements { return &c.Extra }, beacon...),
		one("AroundBeacons", func(k *v1.ShakearoundUserShakeEvent) **v1.AroundBeacons { return &k.AroundBeacons },
			func(c *v1.AroundBeacons) *elements { return &c.Extra },
			several("AroundBeacon", func(c *v1.AroundBeacons) *[]*v1.Beacon { return &c.AroundBeacon },
				func(c *v1.Beacon) *elements { return &c.Extra }, beacon...),
		),
	),
	newKind("merchant_order",
		func(e *v1.Event, k *v1.MerchantOrderEvent) { e.Kind = &v1.Event_MerchantOrder{MerchantOrder: k} },
		(*v1.Event).GetMerchantOrder,
		token("OrderId", func(k *v1.MerchantOrderEvent) *string { return &k.OrderId }),
		number("OrderStatus", func(k *v1.MerchantOrderEvent) **int32 { return &k.OrderStatus }),
		token("ProductId", func(k *v1.MerchantOrderEvent) *string { return &k.ProductId }),
		token("SkuInfo", func(k *v1.MerchantOrderEvent) *string { return &k.SkuInfo }),
	),
	newKind("user_scan_product",
		func(e *v1.Event, k *v1.UserScanProductEvent) { e.Kind = &v1.Event_UserScanProduct{UserScanProduct: k} },
		(*v1.Event).GetUserScanProduct,
		token("KeyStandard", func(k *v1.UserScanProductEvent) *string { return &k.KeyStandard }),
		token("KeyStr", func(k *v1.UserScanProductEvent) *string { return &k.KeyStr }),
		token("Country", func(k *v1.UserScanProductEvent) *string { return &k.Country }),
		token("Province", func(k *v1.UserScanProductEvent) *string { return &k.Province }),
		token("City", func(k *v1.UserScanProductEvent) *string { return &k.City }),
		number("Sex", func(k *v1.UserScanProductEvent) **int32 { return &k.Sex }),
		number("Scene", func(k *v1.UserScanProductEvent) **int32 { return &k.Scene }),
		token("ExtInfo", func(k *v1.UserScanProductEvent) *string { return &k.ExtInfo }),
	),
	newKind("user_scan_product_enter_session",
		func(e *v1.Event, k *v1.UserScanProductEnterSessionEvent) {
			e.Kind = &v1.Event_UserScanProductEnterSession{UserScanProductEnterSession: k}
		},
		(*v1.Event).GetUserScanProductEnterSession,
		token("KeyStandard", func(k *v1.UserScanProductEnterSessionEvent) *string { return &k.KeyStandard }),
		token("KeyStr", func(k *v1.UserScanProductEnterSessionEvent) *string { return &k.KeyStr }),
		token("ExtInfo", func(k *v1.UserScanProductEnterSessionEvent) *string { return &k.ExtInfo }),
	),
	newKind("user_scan_product_async",
		func(e *v1.Event, k *v1.UserScanProductAsyncEvent) {
			e.Kind = &v1.Event_UserScanProductAsync{UserScanProductAsync: k}
		},
		(*v1.Event).GetUserScanProductAsync,
		token("KeyStandard", func(k *v1.UserScanProductAsyncEvent) *string { return &k.KeyStandard }),
		token("KeyStr", func(k *v1.UserScanProductAsyncEvent) *string { return &k.KeyStr }),
		token("ExtInfo", func(k *v1.UserScanProductAsyncEvent) *string { return &k.ExtInfo }),
		token("RegionCode", func(k *v1.UserScanProductAsyncEvent) *string { return &k.RegionCode }),
	),
	newKind("user_scan_product_verify_action",
		func(e *v1.Event, k *v1.UserScanProductVerifyActionEvent) {
			e.Kind = &v1.Event_UserScanProductVerifyAction{UserScanProductVerifyAction: k}
		},
		(*v1.Event).GetUserScanProductVerifyAction,
		token("KeyStandard", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.KeyStandard }),
		token("KeyStr", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.KeyStr }),
		token("Result", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.Result }),
		words("ReasonMsg", func(k *v1.UserScanProductVerifyActionEvent) *string { return &k.ReasonMsg }),
	),
	boxedKind("guide_qrcode_scan_event", "GuideScanEvent",
		func(e *v1.Event, k *v1.GuideQrcodeScanEvent) {
			e.Kind = &v1.Event_GuideQrcodeScanEvent{GuideQrcodeScanEvent: k}
		},
		(*v1.Event).GetGuideQrcodeScanEvent, func(c *v1.GuideQrcodeScanEvent) *elements { return &c.Extra },
		token("qrcode_guide_account", func(k *v1.GuideQrcodeScanEvent) *string { return &k.QrcodeGuideAccount }),
		token("qrcode_guide_openid", func(k *v1.GuideQrcodeScanEvent) *string { return &k.QrcodeGuideOpenid }),
		token("openid", func(k *v1.GuideQrcodeScanEvent) *string { return &k.Openid }),
		number("action", func(k *v1.GuideQrcodeScanEvent) **int32 { return &k.Action }),
		token("qrcode_info", func(k *v1.GuideQrcodeScanEvent) *string { return &k.QrcodeInfo }),
	),
	boxedKind("guide_invite_result_event", "GuideInviteEvent",
		func(e *v1.Event, k *v1.GuideInviteResultEvent) {
			e.Kind = &v1.Event_GuideInviteResultEvent{GuideInviteResultEvent: k}
		},
		(*v1.Event).GetGuideInviteResultEvent, func(c *v1.GuideInviteResultEvent) *elements { return &c.Extra },
		token("guide_account", func(k *v1.GuideInviteResultEvent) *string { return &k.GuideAccount }),
		token("guide_openid", func(k *v1.GuideInviteResultEvent) *string { return &k.GuideOpenid }),
		number("invite_result", func(k *v1.GuideInviteResultEvent) **int32 { return &k.InviteResult }),
	),
	newKind("add_guide_buyer_relation_event",
		func(e *v1.Event, k *v1.AddGuideBuyerRelationEvent) {
			e.Kind = &v1.Event_AddGuideBuyerRelationEvent{AddGuideBuyerRelationEvent: k}
		},
		(*v1.Event).GetAddGuideBuyerRelationEvent),
}

var storeAudit = []field[v1.StoreAuditEvent]{
	number("audit_id", func(k *v1.StoreAuditEvent) **int64 { return &k.AuditId }),
	number("status", func(k *v1.StoreAuditEvent) **int32 { return &k.Status }),
	words("reason", func(k *v1.StoreAuditEvent) *string { return &k.Reason }),
}

var beacon = []field[v1.Beacon]{
	token("Uuid", func(c *v1.Beacon) *string { return &c.Uuid }),
	number("Major", func(c *v1.Beacon) **int32 { return &c.Major }),
	number("Minor", func(c *v1.Beacon) **int32 { return &c.Minor }),
	token("Distance", func(c *v1.Beacon) *string { return &c.Distance }),
}
