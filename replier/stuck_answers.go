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
	// stuckAfter is the number of failed attempts after which an answer counts as stuck; before, it is some seconds late.
	stuckAfter = 3
	// maxCauses is how many causes /readyz names.
	maxCauses = 8
)

// stuckAnswers are the answers whose attempts keep failing. They are a problem in log, metrics and /readyz until they are sent or
// ended. It is safe for concurrent use.
type stuckAnswers struct {
	problem *service.Problem

	mu     sync.Mutex
	causes map[*answerPush]string
	counts map[string]int // of answers, by cause
}

func newStuckAnswers(env service.Env) *stuckAnswers {
	s := &stuckAnswers{problem: service.NewProblem(env, "answers"), causes: map[*answerPush]string{}, counts: map[string]int{}}
	env.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "wxgate_answers_stuck", Help: "Answers that this process sends again and again without success; /readyz has the reasons.",
	}, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.causes))
	}))
	return s
}

// noteFailure notes that so many attempts of an answer failed, and why the last one did.
func (s *stuckAnswers) noteFailure(p *answerPush, times int, reason string) {
	if times >= stuckAfter {
		s.setCause(p, "account "+p.msg.GetAccount()+": "+reason)
	}
}

// removeAnswer notes that an answer is not stuck any more.
func (s *stuckAnswers) removeAnswer(p *answerPush) { s.setCause(p, "") }

// setCause sets the cause of an answer; "" if it is not stuck.
func (s *stuckAnswers) setCause(p *answerPush, cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	previous := s.causes[p]
	if previous == cause {
		return
	}
	if s.counts[previous]--; s.counts[previous] <= 0 {
		delete(s.counts, previous)
	}
	delete(s.causes, p)
	if cause != "" {
		s.causes[p] = cause
		s.counts[cause]++
	}
	s.problem.Set(s.currentError())
}

// currentError returns an error with all causes, nil if no answer is stuck. The caller holds mu.
func (s *stuckAnswers) currentError() error {
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
