package replierv1

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestShare: all fields are shared, those that are added later too.
func TestShare(t *testing.T) {
	for _, from := range []interface {
		proto.Message
		Share(from any)
	}{&ReplyRequest{}, &ReplyResponse{}} {
		m := from.ProtoReflect()
		for i := range m.Descriptor().Fields().Len() {
			switch f := m.Descriptor().Fields().Get(i); f.Kind() {
			case protoreflect.MessageKind:
				m.Set(f, m.NewField(f))
			case protoreflect.BoolKind:
				m.Set(f, protoreflect.ValueOfBool(true))
			default:
				t.Fatalf("%s: what is a %s?", f.FullName(), f.Kind())
			}
		}
		m.SetUnknown([]byte{0xf8, 0x07, 1})
		into := m.New().Interface()
		into.(interface{ Share(from any) }).Share(from)
		if !proto.Equal(from, into) {
			t.Errorf("got %v, want %v", into, from)
		}
	}
}
