package fakewechat

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// full has every fault.
var full = Faults{
	Seed: 7, Lose: 0.1, LoseAnswer: 0.2, Delay: 2 * time.Second, Cut: 0.3, RetryEarly: 0.4, RetryAfter: 300 * time.Millisecond,
	Twice: 0.5, SameSignature: 0.6, WrongSignature: 0.7, Clock: -10 * time.Minute, Duplicate: 0.8, OutOfOrder: 0.9,
	ControlCharacters: 1, BrokenCDATA: 0.01, UnknownType: 0.02, APIErrors: map[int]float64{-1: 0.25, 45009: 0.75},
	APIDelay: time.Minute, APIHalf: 0.03, APIHTML: 0.04, APIReset: 0.05,
}

const fullText = "seed=7,lose=0.1,lose_answer=0.2,delay=2s,cut=0.3,retry_early=0.4,retry_after=300ms,twice=0.5,same_signature=0.6," +
	"wrong_signature=0.7,clock=-10m0s,duplicate=0.8,out_of_order=0.9,control_characters=1,broken_cdata=0.01,unknown_type=0.02," +
	"api_delay=1m0s,api_half=0.03,api_html=0.04,api_reset=0.05,api_errors.-1=0.25,api_errors.45009=0.75"

func TestFaultsText(t *testing.T) {
	for text, want := range map[string]Faults{
		"":                  {},
		"none":              {},
		fullText:            full,
		"lose=0":            {},
		"lose=1 , delay=1s": {Lose: 1, Delay: time.Second},
		"api_errors.-1=0":   {},
	} {
		got, err := ParseFaults(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
	if got := full.String(); got != fullText {
		t.Errorf("got %s", got)
	}
	if got := (Faults{}).String(); got != "none" {
		t.Errorf("got %s", got)
	}
}

func TestFaultsJSON(t *testing.T) {
	for _, f := range []Faults{{}, full} {
		raw, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var got Faults
		if err := json.Unmarshal(raw, &got); err != nil || !cmp.Equal(f, got) {
			t.Errorf("%s: %v, %+v", raw, err, got)
		}
		var names map[string]any
		if err := json.Unmarshal(raw, &names); err != nil || len(names) != len(FaultNames()) {
			t.Errorf("%d of %d names", len(names), len(FaultNames()))
		}
		for _, name := range FaultNames() {
			if _, found := names[name]; !found {
				t.Errorf("%s is not in %s", name, raw)
			}
		}
	}
}

func TestFaultsErrors(t *testing.T) {
	for text, want := range map[string][]string{
		"lose":                                  {`"lose": it has no value; write it as lose=0.1`},
		",":                                     {`"": it has no value; write it as lose=0.1`, `"": it has no value; write it as lose=0.1`},
		"lose=2":                                {`"lose": it must be a rate from 0 to 1`},
		"lose=-0.1":                             {`"lose": it must be a rate from 0 to 1`},
		"lose=NaN":                              {`"lose": it must be a rate from 0 to 1`},
		"lose=":                                 {`"lose": it must be a rate from 0 to 1`},
		"lose=0.1,lose=0.2":                     {`"lose": it occurs twice`},
		"delay=2":                               {`"delay": it must be a duration from 0s to 1m0s, such as 300ms`},
		"delay=-1s":                             {`"delay": it must be a duration from 0s to 1m0s, such as 300ms`},
		"retry_after=6s":                        {`"retry_after": it must be a duration from 0s to 5s, such as 300ms`},
		"seed=-1":                               {`"seed": it must be an integer from 0 to 9007199254740991`},
		"api_errors.0=1":                        {`"api_errors.0": an errcode is an integer and not 0`},
		"api_errors.+1=1":                       {`"api_errors.+1": an errcode is an integer and not 0`},
		"api_errors.1=x":                        {`"api_errors.1": it must be a rate from 0 to 1`},
		"api_errors.1=0.6,api_errors.2=0.6":     {`"api_errors": its rates must not be more than 1 together`},
		"loose=1,delay=x,lose=0.1,\x00dup=1":    {`"delay": it must be`, `unknown: "loose", "\x00dup"; there are seed, lose, lose_answer,`},
		strings.Repeat("x", 999) + "=1":         {`unknown: "` + strings.Repeat("x", 40) + `…"; there are`},
		strings.Repeat("lose=2,", 100) + "seed": {`"lose": it must be a rate from 0 to 1`},
	} {
		f, err := ParseFaults(text)
		if err == nil || !cmp.Equal(f, Faults{}) {
			t.Errorf("%q: got %+v, %v", text, f, err)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) > maxProblems || len(lines) < len(want) {
			t.Errorf("%q: %d lines: %v", text, len(lines), err)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(lines[i], want[i]) {
				t.Errorf("%q: got %q, want %q", text, lines[i], want[i])
			}
		}
	}
	var many []string
	for i := range maxAPIErrors + 1 {
		many = append(many, fmt.Sprintf("api_errors.%d=0.001", i+1))
	}
	if _, err := ParseFaults(strings.Join(many, ",")); err == nil || !strings.Contains(err.Error(), "there may be 100 errcodes") {
		t.Errorf("got %v", err)
	}
}

func TestFaultsJSONErrors(t *testing.T) {
	for text, want := range map[string]string{
		`null`:                     "faults must be a JSON object",
		`[]`:                       "faults must be a JSON object",
		`{"lose": "0.1"}`:          `"lose": it must be a rate from 0 to 1`,
		`{"lose": null}`:           `"lose": it must be a rate from 0 to 1`,
		`{"delay": 2}`:             `"delay": it must be a string`,
		`{"seed": 1.5}`:            `"seed": it must be an integer`,
		`{"Lose": 1, "x": 2}`:      `unknown: "Lose", "x"; there are`,
		`{"api_errors": 1}`:        `"api_errors": it must be an object of errcodes`,
		`{"api_errors": {"x": 1}}`: `"api_errors.x": an errcode is an integer`,
		`{"api_errors.1": 1, "api_errors": {"1": 1}}`: `"api_errors.1": it occurs twice`,
	} {
		var f Faults
		if err := f.UnmarshalJSON([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// FuzzParseFaults: what is read comes back from its text and its JSON, and what is not has a reason.
func FuzzParseFaults(f *testing.F) {
	f.Add(fullText)
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ParseFaults(text)
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 10_000 || !cmp.Equal(faults, Faults{}) {
				t.Errorf("%d bytes of error, %+v", len(err.Error()), faults)
			}
			return
		}
		if again, err := ParseFaults(faults.String()); err != nil || !cmp.Equal(faults, again) {
			t.Errorf("%s: %v, %+v", faults, err, again)
		}
		raw, err := json.Marshal(faults)
		if err != nil {
			t.Fatal(err)
		}
		var again Faults
		if err := json.Unmarshal(raw, &again); err != nil || !cmp.Equal(faults, again) {
			t.Errorf("%s: %v, %+v", raw, err, again)
		}
	})
}

// TestFaultsAreDocumented compares the guide's table with the names.
func TestFaultsAreDocumented(t *testing.T) {
	for _, file := range []string{"../docs/FAKE.md", "../docs/FAKE.zh-CN.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		_, table, _ := strings.Cut(string(text), "<!-- faults -->")
		for line := range strings.Lines(table) {
			if name := between(line, "| `", "` |"); strings.HasPrefix(line, "| `") {
				names = append(names, name)
			} else if strings.HasPrefix(line, "#") {
				break
			}
		}
		if diff := cmp.Diff(FaultNames(), names); diff != "" {
			t.Errorf("%s (-names +table):\n%s", file, diff)
		}
	}
}
