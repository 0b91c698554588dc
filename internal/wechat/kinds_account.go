package wechat

import v1 "wxgate/proto/wechat/v1"

// accountKinds are the events about the account itself, those of event_account.proto.
var accountKinds = []kind[v1.Event]{
	newKind("kf_create_session",
		func(e *v1.Event, k *v1.KfSessionEvent) { e.Kind = &v1.Event_KfCreateSession{KfCreateSession: k} },
		(*v1.Event).GetKfCreateSession, kfSession...),
	newKind("kf_close_session",
		func(e *v1.Event, k *v1.KfSessionEvent) { e.Kind = &v1.Event_KfCloseSession{KfCloseSession: k} },
		(*v1.Event).GetKfCloseSession, kfSession...),
	newKind("kf_switch_session",
		func(e *v1.Event, k *v1.KfSwitchSessionEvent) { e.Kind = &v1.Event_KfSwitchSession{KfSwitchSession: k} },
		(*v1.Event).GetKfSwitchSession,
		token("FromKfAccount", func(k *v1.KfSwitchSessionEvent) *string { return &k.FromKfAccount }),
		token("ToKfAccount", func(k *v1.KfSwitchSessionEvent) *string { return &k.ToKfAccount }),
	),
	newKind("user_info_modified",
		func(e *v1.Event, k *v1.AuthorizationEvent) { e.Kind = &v1.Event_UserInfoModified{UserInfoModified: k} },
		(*v1.Event).GetUserInfoModified, authorization...),
	newKind("user_authorization_revoke",
		func(e *v1.Event, k *v1.AuthorizationEvent) {
			e.Kind = &v1.Event_UserAuthorizationRevoke{UserAuthorizationRevoke: k}
		},
		(*v1.Event).GetUserAuthorizationRevoke, authorization...),
	newKind("user_authorization_cancellation",
		func(e *v1.Event, k *v1.AuthorizationEvent) {
			e.Kind = &v1.Event_UserAuthorizationCancellation{UserAuthorizationCancellation: k}
		},
		(*v1.Event).GetUserAuthorizationCancellation, authorization...),
	newKind("qualification_verify_success",
		func(e *v1.Event, k *v1.VerifyExpiryEvent) {
			e.Kind = &v1.Event_QualificationVerifySuccess{QualificationVerifySuccess: k}
		},
		(*v1.Event).GetQualificationVerifySuccess, verifyExpiry...),
	newKind("naming_verify_success",
		func(e *v1.Event, k *v1.VerifyExpiryEvent) {
			e.Kind = &v1.Event_NamingVerifySuccess{NamingVerifySuccess: k}
		},
		(*v1.Event).GetNamingVerifySuccess, verifyExpiry...),
	newKind("annual_renew",
		func(e *v1.Event, k *v1.VerifyExpiryEvent) { e.Kind = &v1.Event_AnnualRenew{AnnualRenew: k} },
		(*v1.Event).GetAnnualRenew, verifyExpiry...),
	newKind("verify_expired",
		func(e *v1.Event, k *v1.VerifyExpiryEvent) { e.Kind = &v1.Event_VerifyExpired{VerifyExpired: k} },
		(*v1.Event).GetVerifyExpired, verifyExpiry...),
	newKind("qualification_verify_fail",
		func(e *v1.Event, k *v1.VerifyFailEvent) {
			e.Kind = &v1.Event_QualificationVerifyFail{QualificationVerifyFail: k}
		},
		(*v1.Event).GetQualificationVerifyFail, verifyFail...),
	newKind("naming_verify_fail",
		func(e *v1.Event, k *v1.VerifyFailEvent) { e.Kind = &v1.Event_NamingVerifyFail{NamingVerifyFail: k} },
		(*v1.Event).GetNamingVerifyFail, verifyFail...),
	newKind("debug_demo",
		func(e *v1.Event, k *v1.DebugDemoEvent) { e.Kind = &v1.Event_DebugDemo{DebugDemo: k} },
		(*v1.Event).GetDebugDemo,
		words("debug_str", func(k *v1.DebugDemoEvent) *string { return &k.DebugStr }),
	),
	newKind("weapp_audit_success",
		func(e *v1.Event, k *v1.WeappAuditSuccessEvent) {
			e.Kind = &v1.Event_WeappAuditSuccess{WeappAuditSuccess: k}
		},
		(*v1.Event).GetWeappAuditSuccess,
		number("SuccTime", func(k *v1.WeappAuditSuccessEvent) **int64 { return &k.SuccTime }),
	),
	newKind("weapp_audit_fail",
		func(e *v1.Event, k *v1.WeappAuditFailEvent) { e.Kind = &v1.Event_WeappAuditFail{WeappAuditFail: k} },
		(*v1.Event).GetWeappAuditFail,
		words("Reason", func(k *v1.WeappAuditFailEvent) *string { return &k.Reason }),
		number("FailTime", func(k *v1.WeappAuditFailEvent) **int64 { return &k.FailTime }),
		token("ScreenShot", func(k *v1.WeappAuditFailEvent) *string { return &k.ScreenShot }),
	),
	newKind("weapp_audit_delay",
		func(e *v1.Event, k *v1.WeappAuditDelayEvent) { e.Kind = &v1.Event_WeappAuditDelay{WeappAuditDelay: k} },
		(*v1.Event).GetWeappAuditDelay,
		words("Reason", func(k *v1.WeappAuditDelayEvent) *string { return &k.Reason }),
		number("DelayTime", func(k *v1.WeappAuditDelayEvent) **int64 { return &k.DelayTime }),
	),
	newKind("wxa_media_check",
		func(e *v1.Event, k *v1.WxaMediaCheckEvent) { e.Kind = &v1.Event_WxaMediaCheck{WxaMediaCheck: k} },
		(*v1.Event).GetWxaMediaCheck,
		number("isrisky", func(k *v1.WxaMediaCheckEvent) **int32 { return &k.Isrisky }),
		token("extra_info_json", func(k *v1.WxaMediaCheckEvent) *string { return &k.ExtraInfoJson }),
		token("appid", func(k *v1.WxaMediaCheckEvent) *string { return &k.Appid }),
		token("trace_id", func(k *v1.WxaMediaCheckEvent) *string { return &k.TraceId }),
		number("status_code", func(k *v1.WxaMediaCheckEvent) **int64 { return &k.StatusCode }),
		number("version", func(k *v1.WxaMediaCheckEvent) **int32 { return &k.Version }),
		several("detail", func(k *v1.WxaMediaCheckEvent) *[]*v1.WxaMediaCheckDetail { return &k.Detail },
			func(c *v1.WxaMediaCheckDetail) *elements { return &c.Extra },
			token("strategy", func(c *v1.WxaMediaCheckDetail) *string { return &c.Strategy }),
			number("errcode", func(c *v1.WxaMediaCheckDetail) **int32 { return &c.Errcode }),
			token("suggest", func(c *v1.WxaMediaCheckDetail) *string { return &c.Suggest }),
			number("label", func(c *v1.WxaMediaCheckDetail) **int32 { return &c.Label }),
			number("prob", func(c *v1.WxaMediaCheckDetail) **int32 { return &c.Prob }),
		),
		one("result", func(k *v1.WxaMediaCheckEvent) **v1.WxaMediaCheckResult { return &k.Result },
			func(c *v1.WxaMediaCheckResult) *elements { return &c.Extra },
			token("suggest", func(c *v1.WxaMediaCheckResult) *string { return &c.Suggest }),
			number("label", func(c *v1.WxaMediaCheckResult) **int32 { return &c.Label }),
		),
	),
}

var kfSession = []field[v1.KfSessionEvent]{
	token("KfAccount", func(k *v1.KfSessionEvent) *string { return &k.KfAccount }),
}

var authorization = []field[v1.AuthorizationEvent]{
	token("OpenID", func(k *v1.AuthorizationEvent) *string { return &k.Openid }),
	token("UnionID", func(k *v1.AuthorizationEvent) *string { return &k.Unionid }),
	token("AppID", func(k *v1.AuthorizationEvent) *string { return &k.Appid }),
	token("RevokeInfo", func(k *v1.AuthorizationEvent) *string { return &k.RevokeInfo }),
}

var verifyExpiry = []field[v1.VerifyExpiryEvent]{
	number("ExpiredTime", func(k *v1.VerifyExpiryEvent) **int64 { return &k.ExpiredTime }),
}

var verifyFail = []field[v1.VerifyFailEvent]{
	number("FailTime", func(k *v1.VerifyFailEvent) **int64 { return &k.FailTime }),
	words("FailReason", func(k *v1.VerifyFailEvent) *string { return &k.FailReason }),
}
