package service

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type readyState string

const (
	starting readyState = "starting"
	serving  readyState = "ready"
	draining readyState = "draining"
)

// Ready reports whether a process is ready. The zero value stands for a process that is starting.
type Ready struct {
	mu       sync.Mutex
	state    readyState
	away     checkSet
	problems checkSet
}

type checkSet map[string]func() error

func (r *Ready) setState(s readyState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
}

// AddNeighbour adds another service to the report. It is listed while check returns an error, and does not make this process
// unready: if every gateway became unready, that would be an outage. check must return at once.
func (r *Ready) AddNeighbour(name string, check func() error) { r.addCheck(&r.away, name, check) }

// RemoveNeighbour removes a service that is no longer needed from the report.
func (r *Ready) RemoveNeighbour(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.away, name)
}

// AddProblem adds a part of this process to the report, such as a file that was rejected. It is listed while check returns an
// error, and does not make the process unready either. If the part reports its errors itself, use NewProblem.
func (r *Ready) AddProblem(name string, check func() error) { r.addCheck(&r.problems, name, check) }

func (r *Ready) addCheck(to *checkSet, name string, check func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if *to == nil {
		*to = checkSet{}
	}
	(*to)[name] = check
}

// copyState returns the state and copies of the checks.
func (r *Ready) copyState() (status readyState, away, problems checkSet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, maps.Clone(r.away), maps.Clone(r.problems)
}

// failingChecks returns the errors of the checks that fail.
func (c checkSet) failingChecks() map[string]string {
	errs := map[string]string{}
	for name, check := range c {
		if err := check(); err != nil {
			errs[name] = err.Error()
		}
	}
	return errs
}

// ServeHTTP responds 200 while the process serves, else 503, and lists unreachable services and problems.
func (r *Ready) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	report := struct {
		Status   readyState        `json:"status"`
		Away     map[string]string `json:"away,omitempty"`
		Problems map[string]string `json:"problems,omitempty"`
	}{Status: starting}
	// Without the lock: a check may read files, and a file system that hangs must not keep the process from stopping.
	status, away, problems := r.copyState()
	if status != "" {
		report.Status = status
	}
	report.Away, report.Problems = away.failingChecks(), problems.failingChecks()
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
