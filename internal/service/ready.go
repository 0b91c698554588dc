package service

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type state string

const (
	starting state = "starting"
	serving  state = "ready"
	draining state = "draining"
)

// Ready tells whether a process does its job. The zero value is a process that starts.
type Ready struct {
	mu       sync.Mutex
	state    state
	away     checks
	problems checks
}

type checks map[string]func() error

func (r *Ready) set(s state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
}

// Check adds a neighbour to the report. One that is away is listed, and does not make this process unready: taking
// every gateway out would make an outage of it. check must return at once.
func (r *Ready) Check(name string, check func() error) { r.add(&r.away, name, check) }

// Remove takes a neighbour out of the report: nobody needs it any more.
func (r *Ready) Remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.away, name)
}

// Problem adds something of this process's own to the report, which then is listed and does not make it unready either:
// a file that was refused. For what a part notices by itself there is NewProblem.
func (r *Ready) Problem(name string, check func() error) { r.add(&r.problems, name, check) }

func (r *Ready) add(to *checks, name string, check func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if *to == nil {
		*to = checks{}
	}
	(*to)[name] = check
}

// snapshot returns the state and copies of the checks.
func (r *Ready) snapshot() (status state, away, problems checks) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, maps.Clone(r.away), maps.Clone(r.problems)
}

// failed returns the errors of the checks that fail.
func (c checks) failed() map[string]string {
	errs := map[string]string{}
	for name, check := range c {
		if err := check(); err != nil {
			errs[name] = err.Error()
		}
	}
	return errs
}

// ServeHTTP answers 200 while the process serves, else 503, and lists what is away or wrong.
func (r *Ready) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	report := struct {
		Status   state             `json:"status"`
		Away     map[string]string `json:"away,omitempty"`
		Problems map[string]string `json:"problems,omitempty"`
	}{Status: starting}
	// Without the lock: a check may read files, and a file system that hangs must not keep the process from stopping.
	status, away, problems := r.snapshot()
	if status != "" {
		report.Status = status
	}
	report.Away, report.Problems = away.failed(), problems.failed()
	w.Header().Set("Content-Type", "application/json")
	if report.Status != serving {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(report)
}

// InternalMux returns the routes that every process has on its internal listener: /metrics, /livez, /readyz.
func InternalMux(env Env) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(env.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.Handle("GET /readyz", env.Ready)
	return mux
}
