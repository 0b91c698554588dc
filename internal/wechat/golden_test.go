package wechat

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	wechatv1 "wxgate/proto/wechat/v1"
)

var update = flag.Bool("update", false, "write testdata/golden from what Decode reads")

// Every sample comes out as the message in testdata/golden, whole. The files are for reading: field names as in the
// .proto files.
func TestSamples(t *testing.T) {
	for _, file := range inbound(t) {
		t.Run(file, func(t *testing.T) {
			got, err := Decode(sample(t, "inbound", file))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "golden", strings.TrimSuffix(file, ".xml")+".json")
			if *update {
				writeGolden(t, golden, got)
			}
			b, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v: go test -run TestSamples -update writes it", err)
			}
			want := &wechatv1.Message{}
			if err := protojson.Unmarshal(b, want); err != nil {
				t.Fatalf("%s: %v", golden, err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			untyped := strings.HasPrefix(file, "envelope.") || strings.HasPrefix(file, "event.unknown.")
			if n := countExtra(got.ProtoReflect()); n > 0 != untyped {
				t.Errorf("%d elements without a field", n)
			}
		})
	}
}

// writeGolden writes m with the blanks of encoding/json: those of protojson change from build to build.
func writeGolden(t *testing.T, file string, m *wechatv1.Message) {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every golden file belongs to a sample.
func TestGoldenHasSample(t *testing.T) {
	golden, err := filepath.Glob(filepath.Join("testdata", "golden", "*.json"))
	if err != nil || len(golden) != len(inbound(t)) {
		t.Errorf("%d golden files, %d samples; %v", len(golden), len(inbound(t)), err)
	}
}

// countExtra counts the generic elements in m, at every level.
func countExtra(m protoreflect.Message) int {
	n := 0
	walk(m, func(m protoreflect.Message) {
		if fd := m.Descriptor().Fields().ByName("extra"); fd != nil {
			n += m.Get(fd).List().Len()
		}
	})
	return n
}

// walk calls visit for m and every message in it but the generic elements.
func walk(m protoreflect.Message, visit func(protoreflect.Message)) {
	visit(m)
	for fd, v := range m.Range {
		switch {
		case fd.Message() == nil || fd.Name() == "extra":
		case fd.IsList():
			for i := range v.List().Len() {
				walk(v.List().Get(i).Message(), visit)
			}
		default:
			walk(v.Message(), visit)
		}
	}
}

// Every kind has a sample, but one whose elements nobody has documented.
func TestKindsHaveSamples(t *testing.T) {
	messages, events := map[*kind[wechatv1.Message]]bool{}, map[*kind[wechatv1.Event]]bool{}
	for _, file := range inbound(t) {
		m, err := Decode(sample(t, "inbound", file))
		if err != nil {
			t.Fatal(err)
		}
		messages[messageKinds.findKind(m.GetMsgType())] = true
		events[eventKinds.findKind(m.GetEvent().GetEvent())] = true
	}
	for i := range messageKinds.list {
		if k := &messageKinds.list[i]; !messages[k] {
			t.Errorf("MsgType %s has no sample", k.name)
		}
	}
	for i := range eventKinds.list {
		if k := &eventKinds.list[i]; !events[k] && k.name != "add_guide_buyer_relation_event" {
			t.Errorf("event %s has no sample", k.name)
		}
	}
}
