package service

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
)

func TestReplyTrace(t *testing.T) {
	want := &ReplyTrace{Outcome: "reply", Attempt: 2, Rule: "规则 \x00", File: "a.yaml", Line: 3, Failed: []string{"b"}, Micros: 4, Steps: []TraceStep{{"forward", "bot", 5, 6}}}
	got, err := ReadReplyTrace(want.Trailer())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := ReadReplyTrace(nil); got != nil || err != nil {
		t.Errorf("got %v, %v; want nothing", got, err)
	}
	for name, trailer := range map[string]metadata.MD{
		"no JSON":  metadata.Pairs(TraceKey, "{"),
		"twice":    metadata.Pairs(TraceKey, "{}", TraceKey, "{}"),
		"too long": metadata.Pairs(TraceKey, "{}"+strings.Repeat(" ", MaxTraceBytes)),
	} {
		if got, err := ReadReplyTrace(trailer); got != nil || err == nil {
			t.Errorf("%s: got %v, %v; want an error", name, got, err)
		}
	}
}

func FuzzReadReplyTrace(f *testing.F) {
	f.Add(`{"outcome":"reply","attempt":1,"rule":"a","file":"b","line":2,"failed":["c"],"us":3,"steps":[{"name":"d","to":"e","from_us":4,"us":5}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		got, err := ReadReplyTrace(metadata.Pairs(TraceKey, data))
		if err != nil {
			return
		}
		if len(got.Steps) > MaxTraceSteps {
			t.Errorf("%d steps", len(got.Steps))
		}
		got.Trailer() // it can be told
	})
}
