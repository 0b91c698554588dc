package service

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Problem is something of this process's own that can go wrong and come right again, such as a store that cannot write.
// While it has an error, /readyz lists it with the time of the first one, and wxgate_problem is 1. It does not make the
// process unready. It is safe for concurrent use.
type Problem struct {
	name string
	log  *slog.Logger

	mu    sync.Mutex
	err   error // nil: all is well
	since time.Time
}

// NewProblem returns a problem without an error. name is what it is called in the log, the metric and /readyz, such as
// "store"; it is unique within env.
func NewProblem(env Env, name string) *Problem {
	p := &Problem{name: name, log: env.Log}
	env.Ready.Problem(name, p.report)
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

// Set sets the error; nil ends the problem. The log has a line when the problem begins and when it ends, and none for an
// error that follows another. Never put a text, a whole openid, a code, a token or a secret into err.
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

// report returns the error with its time.
func (p *Problem) report() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("since %s: %w", p.since.UTC().Format(time.RFC3339), p.err)
}
