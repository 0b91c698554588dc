package service

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReady(t *testing.T) {
	up := func() error { return nil }
	down := func(reason string) func() error { return func() error { return errors.New(reason) } }
	for _, tt := range []struct {
		name   string
		state  readyState
		checks map[string]func() error
		code   int
		body   string
	}{
		{"zero value", "", nil, 503, `{"status":"starting"}`},
		{"starting", starting, nil, 503, `{"status":"starting"}`},
		{"serving", serving, nil, 200, `{"status":"ready"}`},
		{"draining", draining, nil, 503, `{"status":"draining"}`},
		{"neighbour up", serving, map[string]func() error{"replier": up}, 200, `{"status":"ready"}`},
		{
			"neighbours away", serving, map[string]func() error{"replier": down("connecting"), "oauth": down("transient_failure"), "nats": up},
			200, `{"status":"ready","away":{"oauth":"transient_failure","replier":"connecting"}}`,
		},
		{
			"neighbour away and draining", draining, map[string]func() error{"replier": down("connecting")},
			503, `{"status":"draining","away":{"replier":"connecting"}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ready := &Ready{}
			if tt.state != "" {
				ready.setState(tt.state)
			}
			for name, check := range tt.checks {
				ready.AddNeighbour(name, check)
			}
			w := httptest.NewRecorder()
			ready.ServeHTTP(w, nil)
			if w.Code != tt.code || strings.TrimSpace(w.Body.String()) != tt.body || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("got %d %s %s, want %d %s", w.Code, w.Header().Get("Content-Type"), w.Body, tt.code, tt.body)
			}
		})
	}
}

// TestFindingsStopWaitsForNoCheck has a check that hangs, as one that reads from a file system that is gone.
func TestFindingsStopWaitsForNoCheck(t *testing.T) {
	ready, began, release := &Ready{}, make(chan struct{}), make(chan struct{})
	defer close(release)
	ready.AddProblem("certificate", func() error { close(began); <-release; return nil })
	go ready.ServeHTTP(httptest.NewRecorder(), nil)
	<-began
	stopped := make(chan struct{})
	go func() { ready.setState(draining); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Error("the state waits for a check")
	}
}

func TestInternalMux(t *testing.T) {
	env, _ := testEnv()
	mux := InternalMux(env)
	for _, tt := range []struct {
		method, path string
		code         int
		body         string // part of it
	}{
		{"GET", "/livez", 200, "ok\n"},
		{"GET", "/readyz", 503, `{"status":"starting"}`},
		{"GET", "/metrics", 200, "\ngo_goroutines "},
		{"HEAD", "/livez", 200, ""},
		{"POST", "/livez", 405, ""},
		{"GET", "/", 404, ""},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil))
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s %s: got %d %.200s, want %d %s", tt.method, tt.path, w.Code, w.Body, tt.code, tt.body)
		}
	}
	env.Ready.setState(serving)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusOK {
		t.Errorf("/readyz: %d while serving, want 200", w.Code)
	}
}
