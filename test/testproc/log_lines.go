package testproc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// OneOfEachKey fails the test for lines of a log that have a JSON key twice. Lines that are not JSON are not checked.
func OneOfEachKey(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			continue
		}
		if key, err := doubleKey(json.NewDecoder(strings.NewReader(line))); key != "" || err != nil {
			t.Errorf("key %q twice, %v: %s", key, err, line)
		}
	}
}

// doubleKey reads one value, and returns a key that one of its objects has twice; "" if there is none.
func doubleKey(values *json.Decoder) (string, error) {
	begin, err := values.Token()
	if err != nil || begin != json.Delim('{') && begin != json.Delim('[') {
		return "", err
	}
	seen := map[string]bool{}
	for values.More() {
		if begin == json.Delim('{') {
			key, err := values.Token()
			if err != nil {
				return "", err
			}
			if name := fmt.Sprint(key); seen[name] {
				return name, nil
			}
			seen[fmt.Sprint(key)] = true
		}
		if key, err := doubleKey(values); key != "" || err != nil {
			return key, err
		}
	}
	_, err = values.Token()
	return "", err
}
