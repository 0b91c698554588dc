package rules

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	wechatv1 "wxgate/proto/wechat/v1"
)

// pathsIn returns the expressions that lead to the texts of a message, outside of lists.
func pathsIn(d protoreflect.MessageDescriptor, prefix string, depth int) []string {
	var found []string
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		name := prefix + "." + string(f.Name())
		switch {
		case f.IsList() || f.IsMap() || depth == 0:
		case f.Message() != nil:
			found = append(found, pathsIn(f.Message(), name, depth-1)...)
		case f.Kind() == protoreflect.StringKind:
			found = append(found, name)
		}
	}
	return found
}

// TestPath: a path returns the same value as CEL, for messages with and without the fields.
func TestPath(t *testing.T) {
	x, err := newCompiler()
	if err != nil {
		t.Fatal(err)
	}
	scan := &wechatv1.Message{MsgType: "event", Content: &wechatv1.Message_Event{Event: &wechatv1.Event{
		Event: "SCAN", EventKey: "42", Kind: &wechatv1.Event_Scan{Scan: &wechatv1.ScanEvent{Scene: "42", Ticket: "t"}},
	}}}
	paths := pathsIn(scan.ProtoReflect().Descriptor(), "message", 4)
	if len(paths) < 100 {
		t.Fatalf("%d paths: %v", len(paths), paths)
	}
	for name := range usualPaths {
		if !slices.Contains(paths, "message."+name) {
			t.Errorf("%s is in no message", name)
		}
	}
	for _, source := range paths {
		p := fieldPathOf(source)
		if p == nil {
			t.Errorf("%s is no path", source)
			continue
		}
		program, problems := x.compileExpression(source, printable, "a text")
		if len(problems) > 0 {
			t.Errorf("%s: %v", source, problems)
			continue
		}
		for _, msg := range []*wechatv1.Message{text("hello\x01 世界"), scan} {
			want, _, err := program.Eval(map[string]any{"message": msg})
			if got := p(msg); err != nil || got != want.Value() {
				t.Errorf("%s: got %q, want %v, %v", source, got, want, err)
			}
		}
	}
	for _, source := range []string{"message", "message.", "message.msg_id", "message.extra", "message.text", "message.text.content.size()",
		"message.account.x", "message.nothing", "other.account", "message . account + 'x'", "'message.account'"} {
		if fieldPathOf(source) != nil {
			t.Errorf("%q is a path", source)
		}
	}
}
