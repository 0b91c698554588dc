package replierv1

// Share makes x a copy of another ReplyRequest that shares its fields. Neither may be changed after that.
func (x *ReplyRequest) Share(from any) {
	y := from.(*ReplyRequest)
	x.Message, x.Coordination = y.Message, y.Coordination
	x.unknownFields = y.unknownFields
}

// Share makes x a copy of another ReplyResponse that shares its fields. Neither may be changed after that.
func (x *ReplyResponse) Share(from any) {
	y := from.(*ReplyResponse)
	x.Reply, x.Coordination = y.Reply, y.Coordination
	x.unknownFields = y.unknownFields
}
