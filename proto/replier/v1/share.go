package replierv1

// Share gives x the fields of another ReplyRequest, which neither side changes any more.
func (x *ReplyRequest) Share(from any) {
	y := from.(*ReplyRequest)
	x.Message, x.MayDefer = y.Message, y.MayDefer
	x.unknownFields = y.unknownFields
}

// Share gives x the fields of another ReplyResponse, which neither side changes any more.
func (x *ReplyResponse) Share(from any) {
	y := from.(*ReplyResponse)
	x.Reply, x.Hold, x.Deferred, x.GivenUp, x.Unstored, x.Unsure = y.Reply, y.Hold, y.Deferred, y.GivenUp, y.Unstored, y.Unsure
	x.unknownFields = y.unknownFields
}
