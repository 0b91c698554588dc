package replierv1

import "google.golang.org/protobuf/proto"

// Share sets the fields of x to those of another ReplyRequest, without copying what they point to. Calls within a process use
// it in place of a copy: neither side may change the messages.
func (x *ReplyRequest) Share(from any) {
	y := from.(*ReplyRequest)
	x.Message, x.Coordination = y.Message, y.Coordination
	shareUnknown(x, y)
}

// Share sets the fields of x to those of another ReplyResponse, as ReplyRequest's does.
func (x *ReplyResponse) Share(from any) {
	y := from.(*ReplyResponse)
	x.Reply, x.Coordination = y.Reply, y.Coordination
	shareUnknown(x, y)
}

// shareUnknown gives into the fields that a newer version of the contract set in from.
func shareUnknown(into, from proto.Message) {
	if unknown := from.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		into.ProtoReflect().SetUnknown(unknown)
	}
}
