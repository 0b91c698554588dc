package replier

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/service"
)

const (
	// stuckAfter is after how many attempts in vain an answer counts as stuck: before, it is some seconds late.
	stuckAfter = 3
	// maxCauses is how many causes /readyz names.
	maxCauses = 8
)

// stuck is the answers that WeChat is given again and again in vain: a problem that lasts until they are sent, or ended. It
// is safe for concurrent use.
type stuck struct {
	problem *service.Problem

	mu     sync.Mutex
	causes map[*following]string
	counts map[string]int // of answers, by cause
}

func newStuck(env service.Env) *stuck {
	s := &stuck{problem: service.NewProblem(env, "answers"), causes: map[*following]string{}, counts: map[string]int{}}
	env.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_answers_stuck", Help: "Answers that this process gives WeChat again and again in vain; /readyz has the reasons.",
	}, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.causes))
	}))
	return s
}

// note notes why an answer was tried so many times in vain.
func (s *stuck) note(f *following, times int, reason string) {
	if times >= stuckAfter {
		s.set(f, "account "+f.msg.GetAccount()+": "+reason)
	}
}

// remove is for an answer that is stuck no more.
func (s *stuck) remove(f *following) { s.set(f, "") }

// set sets an answer's cause; "" for none.
func (s *stuck) set(f *following, cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.causes[f]
	if before == cause {
		return
	}
	if s.counts[before]--; s.counts[before] <= 0 {
		delete(s.counts, before)
	}
	delete(s.causes, f)
	if cause != "" {
		s.causes[f] = cause
		s.counts[cause]++
	}
	s.problem.Set(s.err())
}

// err says what is stuck; nil: nothing. The caller holds mu.
func (s *stuck) err() error {
	if len(s.counts) == 0 {
		return nil
	}
	var causes []string
	for _, cause := range slices.Sorted(maps.Keys(s.counts)) {
		causes = append(causes, fmt.Sprintf("%s (%d)", cause, s.counts[cause]))
	}
	if more := len(causes) - maxCauses; more > 0 {
		causes = append(causes[:maxCauses], fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("answers are given to WeChat again and again: %s", strings.Join(causes, "; "))
}
