package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a report with two comparisons, the second without a limit, and two figures, the second above its limit.
func sample() *Report {
	rows := []Row{
		{Case: "serve, plain", Of: "bare handler", Limit: 1.5, Unit: "µs", A: []float64{90, 120, 105}, B: []float64{80, 70, 75}},
		{Case: "bare handler", Of: "bare handler again", Unit: "µs", A: []float64{9.5, 10.5}, B: []float64{8, 12}},
	}
	for i := range rows {
		rows[i].setRatios()
	}
	return &Report{
		Rounds: 3, Seconds: 0.2, CPUs: 2, Highest: 12345.6, Late: 0.25, Rows: rows,
		Alone: []Alone{{"serve, ready", 200, 200, "ms"}, {"serve, idle", 40.06, 40, "MB"}},
	}
}

func TestTable(t *testing.T) {
	for want, r := range map[string]*Report{
		`CPU time of a callback, and latency: medians of 3 rounds of 0.2 s in turn, 2 CPUs

case                   of                           ratio  spread     at most
serve, plain  105 µs   bare handler        75.0 µs  1.40   1.12–1.71  1.50     ok
bare handler  10.0 µs  bare handler again  10.0 µs  1.00   0.88–1.19

alone                  at most
serve, ready  200 ms   200 ms   ok
serve, idle   40.1 MB  40.0 MB  above

highest rate of serve: 12346 messages/s, the generator on the same CPUs
p99 is at half of it, of messages that the generator itself sent 0.25 ms late (its own p99)
`: sample(),
		`CPU time of a callback, and latency: medians of 5 rounds of 5 s in turn, 8 CPUs

case    of    ratio  spread  at most
`: {Rounds: 5, Seconds: 5, CPUs: 8}, // of -case
	} {
		var b strings.Builder
		if err := r.writeText(&b); err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(b.String(), "\n")
		for i, line := range lines {
			lines[i] = strings.TrimRight(line, " \n") // the table ends each line where its last column does
		}
		if diff := cmp.Diff(want, strings.Join(lines, "\n")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestNamed: a part of a name chooses, and one that is in none is an error which tells the names.
func TestNamed(t *testing.T) {
	all := []comparedPair{{a: comparedSide{name: "serve, plain"}}, {a: comparedSide{name: "serve, plain"}}, {a: comparedSide{name: "bare handler"}}}
	for text, want := range map[string]int{"": 3, "serve": 2, "bare": 1} {
		if got, err := chosenComparisons(all, text); len(got) != want || err != nil {
			t.Errorf("%q: got %d, %v; want %d", text, len(got), err, want)
		}
	}
	const want = `-case: "nonsense" is in no name; there are: serve, plain; bare handler`
	if _, err := chosenComparisons(all, "nonsense"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestJSON(t *testing.T) {
	data, err := json.MarshalIndent(sample(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "rounds": 3,
  "round_seconds": 0.2,
  "cpus": 2,
  "highest_per_second": 12345.6,
  "late_ms": 0.25,
  "rows": [
    {
      "case": "serve, plain",
      "of": "bare handler",
      "limit": 1.5,
      "unit": "µs",
      "case_rounds": [
        90,
        120,
        105
      ],
      "of_rounds": [
        80,
        70,
        75
      ],
      "ratio": 1.4,
      "ratio_least": 1.125,
      "ratio_most": 1.7142857142857142
    },
    {
      "case": "bare handler",
      "of": "bare handler again",
      "unit": "µs",
      "case_rounds": [
        9.5,
        10.5
      ],
      "of_rounds": [
        8,
        12
      ],
      "ratio": 1,
      "ratio_least": 0.875,
      "ratio_most": 1.1875
    }
  ],
  "alone": [
    {
      "name": "serve, ready",
      "value": 200,
      "limit": 200,
      "unit": "ms"
    },
    {
      "name": "serve, idle",
      "value": 40.06,
      "limit": 40,
      "unit": "MB"
    }
  ]
}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFigure(t *testing.T) {
	for want, value := range map[string]float64{"0.00 ms": 0, "1.23 ms": 1.234, "12.3 ms": 12.34, "123 ms": 123.4, "1234 ms": 1234.4} {
		if got := formatFigure(value, "ms"); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}
