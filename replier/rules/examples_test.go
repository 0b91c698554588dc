package rules

import (
	"slices"
	"testing"
)

// TestExamples: each file of examples/rules meets its expectations and has no warnings. Each of its rules answers at least one of
// the expected messages.
func TestExamples(t *testing.T) {
	for _, path := range glob(t, "../../examples/rules/*.yaml") {
		t.Run(path, func(t *testing.T) {
			rules, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range slices.Concat(rules.Warnings(), rules.Check(t.Context())) {
				t.Error(problem)
			}
			answered := map[string]bool{}
			for _, e := range rules.expectations {
				answered[rules.Try(t.Context(), e.msg).Rule] = true
			}
			for _, rule := range rules.list {
				if !answered[rule.Name] {
					t.Errorf("rule %q answers none of the messages in expect", rule.Name)
				}
			}
		})
	}
}
