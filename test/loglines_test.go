package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestFindingsLogLinesHaveEachKeyOnce: strict JSON parsers take every line of a login, which calls oauthsvc twice. The
// lines of all other processes are checked when they end.
func TestFindingsLogLinesHaveEachKeyOnce(t *testing.T) {
	p := start(t, env(accountEnv...), "dev")
	login(t, "http://"+p.addr("listen"))
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if log := p.logged(); !strings.Contains(log, `"oauth":{`) || !strings.Contains(log, `"oauth_2":{`) {
		t.Errorf("no line has both calls:\n%s", log)
	}
}

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

// oneOfEachKey fails the test for lines of a log that have a JSON key twice. What is not JSON is no line of the log's.
func oneOfEachKey(t *testing.T, log string) {
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
