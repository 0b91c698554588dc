package replierv1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
)

func TestTrace(t *testing.T) {
	want := &Trace{Outcome: "reply", Attempt: 2, Rule: "规则 \x00", File: "a.yaml", Line: 3, Failed: []string{"b"}, Micros: 4, Steps: []Step{{"forward", "bot", 5, 6}}}
	got, err := ReadTrace(want.Trailer())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := ReadTrace(nil); got != nil || err != nil {
		t.Errorf("got %v, %v; want nothing", got, err)
	}
	for name, trailer := range map[string]metadata.MD{
		"no JSON":  metadata.Pairs(TraceKey, "{"),
		"twice":    metadata.Pairs(TraceKey, "{}", TraceKey, "{}"),
		"too long": metadata.Pairs(TraceKey, "{}"+strings.Repeat(" ", MaxTrace)),
	} {
		if got, err := ReadTrace(trailer); got != nil || err == nil {
			t.Errorf("%s: got %v, %v; want an error", name, got, err)
		}
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add(`{"outcome":"reply","attempt":1,"rule":"a","file":"b","line":2,"failed":["c"],"us":3,"steps":[{"name":"d","to":"e","from_us":4,"us":5}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		got, err := ReadTrace(metadata.Pairs(TraceKey, data))
		if err != nil {
			return
		}
		if len(got.Steps) > MaxSteps {
			t.Errorf("%d steps", len(got.Steps))
		}
		got.Trailer() // it can be told
	})
}
