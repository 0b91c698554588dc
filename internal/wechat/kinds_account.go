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
		tokenField("FromKfAccount", func(k *v1.KfSwitchSessionEvent) *string { return &k.FromKfAccount }),
		tokenField("ToKfAccount", func(k *v1.KfSwitchSessionEvent) *string { return &k.ToKfAccount }),
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
		textField("debug_str", func(k *v1.DebugDemoEvent) *string { return &k.DebugStr }),
	),
	newKind("weapp_audit_success",
		func(e *v1.Event, k *v1.WeappAuditSuccessEvent) {
			e.Kind = &v1.Event_WeappAuditSuccess{WeappAuditSuccess: k}
		},
		(*v1.Event).GetWeappAuditSuccess,
		numberField("SuccTime", func(k *v1.WeappAuditSuccessEvent) **int64 { return &k.SuccTime }),
	),
	newKind("weapp_audit_fail",
		func(e *v1.Event, k *v1.WeappAuditFailEvent) { e.Kind = &v1.Event_WeappAuditFail{WeappAuditFail: k} },
		(*v1.Event).GetWeappAuditFail,
		textField("Reason", func(k *v1.WeappAuditFailEvent) *string { return &k.Reason }),
		numberField("FailTime", func(k *v1.WeappAuditFailEvent) **int64 { return &k.FailTime }),
		tokenField("ScreenShot", func(k *v1.WeappAuditFailEvent) *string { return &k.ScreenShot }),
	),
	newKind("weapp_audit_delay",
		func(e *v1.Event, k *v1.WeappAuditDelayEvent) { e.Kind = &v1.Event_WeappAuditDelay{WeappAuditDelay: k} },
		(*v1.Event).GetWeappAuditDelay,
		textField("Reason", func(k *v1.WeappAuditDelayEvent) *string { return &k.Reason }),
		numberField("DelayTime", func(k *v1.WeappAuditDelayEvent) **int64 { return &k.DelayTime }),
	),
	newKind("wxa_media_check",
		func(e *v1.Event, k *v1.WxaMediaCheckEvent) { e.Kind = &v1.Event_WxaMediaCheck{WxaMediaCheck: k} },
		(*v1.Event).GetWxaMediaCheck,
		numberField("isrisky", func(k *v1.WxaMediaCheckEvent) **int32 { return &k.Isrisky }),
		tokenField("extra_info_json", func(k *v1.WxaMediaCheckEvent) *string { return &k.ExtraInfoJson }),
		tokenField("appid", func(k *v1.WxaMediaCheckEvent) *string { return &k.Appid }),
		tokenField("trace_id", func(k *v1.WxaMediaCheckEvent) *string { return &k.TraceId }),
		numberField("status_code", func(k *v1.WxaMediaCheckEvent) **int64 { return &k.StatusCode }),
		numberField("version", func(k *v1.WxaMediaCheckEvent) **int32 { return &k.Version }),
		repeatedField("detail", func(k *v1.WxaMediaCheckEvent) *[]*v1.WxaMediaCheckDetail { return &k.Detail },
			func(c *v1.WxaMediaCheckDetail) *elements { return &c.Extra },
			tokenField("strategy", func(c *v1.WxaMediaCheckDetail) *string { return &c.Strategy }),
			numberField("errcode", func(c *v1.WxaMediaCheckDetail) **int32 { return &c.Errcode }),
			tokenField("suggest", func(c *v1.WxaMediaCheckDetail) *string { return &c.Suggest }),
			numberField("label", func(c *v1.WxaMediaCheckDetail) **int32 { return &c.Label }),
			numberField("prob", func(c *v1.WxaMediaCheckDetail) **int32 { return &c.Prob }),
		),
		messageField("result", func(k *v1.WxaMediaCheckEvent) **v1.WxaMediaCheckResult { return &k.Result },
			func(c *v1.WxaMediaCheckResult) *elements { return &c.Extra },
			tokenField("suggest", func(c *v1.WxaMediaCheckResult) *string { return &c.Suggest }),
			numberField("label", func(c *v1.WxaMediaCheckResult) **int32 { return &c.Label }),
		),
	),
}

var kfSession = []field[v1.KfSessionEvent]{
	tokenField("KfAccount", func(k *v1.KfSessionEvent) *string { return &k.KfAccount }),
}

var authorization = []field[v1.AuthorizationEvent]{
	tokenField("OpenID", func(k *v1.AuthorizationEvent) *string { return &k.Openid }),
	tokenField("UnionID", func(k *v1.AuthorizationEvent) *string { return &k.Unionid }),
	tokenField("AppID", func(k *v1.AuthorizationEvent) *string { return &k.Appid }),
	tokenField("RevokeInfo", func(k *v1.AuthorizationEvent) *string { return &k.RevokeInfo }),
}

var verifyExpiry = []field[v1.VerifyExpiryEvent]{
	numberField("ExpiredTime", func(k *v1.VerifyExpiryEvent) **int64 { return &k.ExpiredTime }),
}

var verifyFail = []field[v1.VerifyFailEvent]{
	numberField("FailTime", func(k *v1.VerifyFailEvent) **int64 { return &k.FailTime }),
	textField("FailReason", func(k *v1.VerifyFailEvent) *string { return &k.FailReason }),
}
