package rules

import (
	"slices"
	"testing"
)

// TestExamples: each file of examples/rules does what it expects, and says nothing that it does not mean; each of its
// rules answers at least one of the messages that it expects.
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
