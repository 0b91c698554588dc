package service

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Problem is a part of this process that can fail and recover, such as a store that cannot write. While it has an error,
// /readyz lists it with the time of the first one, and wxgate_problem is 1. It does not make the process unready. It is safe
// for concurrent use.
type Problem struct {
	name string
	log  *slog.Logger

	mu    sync.Mutex
	err   error // nil: no problem
	since time.Time
}

// NewProblem returns a problem without an error. name is its name in the log, the metric and /readyz, such as "store"; it must
// be unique within env.
func NewProblem(env Env, name string) *Problem {
	p := &Problem{name: name, log: env.Log}
	env.Ready.AddProblem(name, p.statusError)
	prometheus.WrapRegistererWith(prometheus.Labels{"problem": name}, env.Registerer).MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wxgate_problem", Help: "1 while a part of this process cannot do its work; /readyz has the reason.",
		}, func() float64 {
			if p.Err() != nil {
				return 1
			}
			return 0
		}))
	return p
}

// Set sets the error; nil ends the problem. It logs when the problem begins and when it ends, but not when one error follows
// another. err must not hold a message's text, a whole openid, a code, a token or a secret.
func (p *Problem) Set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.err
	p.err = err
	switch {
	case before == nil && err != nil:
		p.since = time.Now()
		p.log.Error("problem", "problem", p.name, "error", err.Error())
	case before != nil && err == nil:
		p.log.Info("problem solved", "problem", p.name, "seconds", time.Since(p.since).Round(time.Millisecond).Seconds())
	}
}

// Err returns the error that was set last; nil if there is no problem.
func (p *Problem) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// statusError returns the error with the time when the problem began.
func (p *Problem) statusError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("since %s: %w", p.since.UTC().Format(time.RFC3339), p.err)
}
