package fakewechat

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestChatFaults: a page begins with the faults, and hears of others as they are set, by whom ever.
func TestChatFaults(t *testing.T) {
	s := newSite(t, Config{Faults: Faults{Lose: 0.5, Seed: 7}})
	t.Cleanup(s.platform.Close)
	p := s.open(t)
	var hello chatState
	p.next("hello", &hello)
	if diff := cmp.Diff(Faults{Lose: 0.5, Seed: 7}, hello.Faults); diff != "" {
		t.Errorf("hello (-want +got):\n%s", diff)
	}
	if !slices.Contains(hello.Paths, sendPath) || !slices.Contains(hello.Paths, "/sns/auth") || !slices.IsSorted(hello.Paths) {
		t.Errorf("got the paths %q; want all of the API", hello.Paths)
	}
	next := func(want Faults) {
		t.Helper()
		var got Faults
		p.next("faults", &got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	s.platform.SetFaults(Faults{APIErrors: map[int]float64{45009: 1}, Seed: 3})
	next(Faults{APIErrors: map[int]float64{45009: 1}, Seed: 3})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/fake/v1/faults", strings.NewReader(`{"twice": 1, "seed": 9}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	next(Faults{Twice: 1, Seed: 9})
	s.platform.Reset()
	next(Faults{Lose: 0.5, Seed: 7})
}

// TestChatFaultWords: the page can set each fault, and has words for it in both languages.
func TestChatFaultWords(t *testing.T) {
	words, err := os.ReadFile("page/chat/words.js")
	if err != nil {
		t.Fatal(err)
	}
	groups, err := os.ReadFile("page/chat/faults.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range FaultNames() {
		if n := len(regexp.MustCompile(`(?m)^    `+name+`: \['.+', '.+'\],$`).FindAll(words, -1)); n != 2 {
			t.Errorf("%s has words %d times; want 2", name, n)
		}
		if !regexp.MustCompile(`[ {]` + name + `: (rate|duration|integer|errcodes)\b`).Match(groups) {
			t.Errorf("%s is in no group", name)
		}
	}
}
