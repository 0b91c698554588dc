package replierv1

// Share gives x the fields of another ReplyRequest, which neither side changes any more.
func (x *ReplyRequest) Share(from any) {
	y := from.(*ReplyRequest)
	x.Message, x.Coordination = y.Message, y.Coordination
	x.unknownFields = y.unknownFields
}

// Share gives x the fields of another ReplyResponse, which neither side changes any more.
func (x *ReplyResponse) Share(from any) {
	y := from.(*ReplyResponse)
	x.Reply, x.Coordination = y.Reply, y.Coordination
	x.unknownFields = y.unknownFields
}
