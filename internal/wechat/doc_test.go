package wechat

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	wechatv1 "wxgate/proto/wechat/v1"
)

const contracts = "../../proto/wechat/v1"

// The list of all messages and events is made from the .proto files and the tables. -update writes it.
func TestMessagesDocument(t *testing.T) {
	d := document{comments: protoComments(t)}
	d.line("# Messages and events")
	d.line("")
	d.line("Every MsgType and Event that has a type, with its fields. Made from the `.proto` files beside it: `go test ./internal/wechat -run Document -update`.")
	d.line("What has no field is in `extra`, at its own level. A field that is `optional` is not set where WeChat sent nothing.")
	d.line("")
	d.line("## Every message")
	d.line("")
	d.table("message", (&wechatv1.Message{}).ProtoReflect().Descriptor())
	d.line("## Messages: `MsgType`")
	d.line("")
	for _, k := range messageKinds.list {
		if k.name != "event" {
			d.kind(t, "message", fmt.Sprintf("<xml><MsgType>%s</MsgType></xml>", k.name), k.name, k.also)
		}
	}
	d.line("## Events: `MsgType` event, `Event`")
	d.line("")
	d.line("Names are told apart without regard to case.")
	d.line("")
	d.table("message.event", (&wechatv1.Event{}).ProtoReflect().Descriptor())
	for _, k := range eventKinds.list {
		d.kind(t, "message.event", fmt.Sprintf("<xml><MsgType>event</MsgType><Event>%s</Event></xml>", k.name), k.name, k.also)
	}
	file := filepath.Join(contracts, "MESSAGES.md")
	got := strings.TrimRight(d.b.String(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is stale: go test ./internal/wechat -run Document -update", file)
	}
}

type document struct {
	b        strings.Builder
	comments map[string]string // by full name
}

func (d *document) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// kind describes the kind that a callback is of.
func (d *document) kind(t *testing.T, path, body, name, also string) {
	t.Helper()
	m, err := Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := m.ProtoReflect()
	if e := m.GetEvent(); e != nil {
		r = e.ProtoReflect()
	}
	arm := r.WhichOneof(r.Descriptor().Oneofs().Get(0))
	if also != "" {
		name += "`, also `" + also
	}
	d.line("### `%s`", name)
	d.line("")
	d.line("`%s.%s`: %s", path, arm.Name(), d.comment(arm))
	d.line("")
	d.table(path+"."+string(arm.Name()), arm.Message())
}

// table lists the fields of a message, those of nested messages by their path, without the arms of a oneof.
func (d *document) table(path string, m protoreflect.MessageDescriptor) {
	begin := d.b.Len()
	d.line("| field | type | meaning |")
	d.line("|---|---|---|")
	rows := d.b.Len()
	d.rows(path, m)
	if d.b.Len() == rows {
		s := d.b.String()[:begin]
		d.b.Reset()
		d.b.WriteString(s)
		return
	}
	d.line("")
}

func (d *document) rows(path string, m protoreflect.MessageDescriptor) {
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
			continue
		}
		name, kind := path+"."+string(f.Name()), f.Kind().String()
		if f.Message() != nil {
			kind = string(f.Message().Name())
		}
		switch {
		case f.IsList():
			kind = "repeated " + kind
			name += "[]"
		case f.HasOptionalKeyword():
			kind = "optional " + kind
		}
		if f.Name() == "extra" && path != "message" {
			continue
		}
		d.line("| `%s` | %s | %s |", strings.TrimSuffix(name, "[]"), kind, strings.ReplaceAll(d.comment(f), "|", "\\|"))
		if f.Message() != nil && f.Message().Name() != "Element" {
			d.rows(name, f.Message())
		}
	}
}

func (d *document) comment(f protoreflect.Descriptor) string { return d.comments[string(f.FullName())] }

var (
	messageLine = regexp.MustCompile(`^message (\w+) \{`)
	fieldLine   = regexp.MustCompile(`^\s+(?:repeated |optional )?[\w.]+ (\w+) = \d+`)
)

// protoComments returns the comments of fields in the .proto files, by full name.
func protoComments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(contracts, "*.proto"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no .proto files: %v", err)
	}
	comments := map[string]string{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		message, comment := "", []string(nil)
		for line := range strings.Lines(string(source)) {
			line = strings.TrimRight(line, "\n")
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "//"); ok {
				comment = append(comment, strings.TrimSpace(text))
				continue
			}
			if found := messageLine.FindStringSubmatch(line); found != nil {
				message = "wechat.v1." + found[1]
			} else if found := fieldLine.FindStringSubmatch(line); found != nil {
				comments[message+"."+found[1]] = strings.Join(comment, " ")
			}
			comment = nil
		}
	}
	return comments
}

// Every field of the contracts has its comment in the list.
func TestMessagesDocumentHasComments(t *testing.T) {
	comments := protoComments(t)
	for _, name := range []string{"wechat.v1.Message.from_user_name", "wechat.v1.Text.content", "wechat.v1.Event.scan", "wechat.v1.PicItem.pic_md5_sum"} {
		if comments[name] == "" {
			t.Errorf("no comment of %s", name)
		}
	}
}
