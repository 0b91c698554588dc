package testproc

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDoubleKey: the check itself finds what it looks for.
func TestDoubleKey(t *testing.T) {
	for line, want := range map[string]string{
		`{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]}`: "",
		`{"a":1,"b":2,"a":1}`:                       "a",
		`{"a":{"b":1,"c":[1,{"d":1,"d":2}]}}`:       "d",
		`{"a":{},"b":{},"a":{}}`:                    "a",
	} {
		if got, err := doubleKey(json.NewDecoder(strings.NewReader(line))); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
}
