package service

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"wxgate/internal/testaddr"
)

func TestCheckHealth(t *testing.T) {
	env, _ := testEnv()
	h, err := ListenHTTP(env, "internal-listen", "127.0.0.1:0", InternalMux(env))
	if err != nil {
		t.Fatal(err)
	}
	stopHTTP := serve(t, h)
	conn, stopGRPC := startGRPC(t, env, nil)
	// Served at least once: it is SERVING now.
	if _, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, addr string
		state      readyState
		want       string // the error's text, or part of it; "": none
	}{
		{"HTTP, serving", h.Addr().String(), serving, ""},
		{"HTTP, starting", h.Addr().String(), starting, `503 Service Unavailable: {"status":"starting"}`},
		{"HTTP, draining", h.Addr().String(), draining, `503 Service Unavailable: {"status":"draining"}`},
		{"gRPC", strings.TrimPrefix(conn.CanonicalTarget(), "dns:///"), serving, ""},
		{"gRPC, not serving", notServing(t), serving, "NOT_SERVING"},
		{"nobody there", testaddr.Unused(t), serving, "connection refused"},
		{"URL", "http://" + h.Addr().String(), serving, ""},
		{"URL with a slash", "http://" + h.Addr().String() + "/", serving, ""},
		{"URL of /readyz", "http://" + h.Addr().String() + "/readyz", serving, ""},
		{"https", "https://" + h.Addr().String(), serving, "TLS needs --tls-cert, --tls-key and --tls-ca"},
		{"another path", "http://" + h.Addr().String() + "/metrics", serving, "expected host and port, such as 127.0.0.1:8001 or http://127.0.0.1:8001"},
		{"no port", "http://127.0.0.1", serving, "expected host and port"},
		{"a gRPC target", "dns:///127.0.0.1:9001", serving, "expected host and port"},
		{"no address", "a b", serving, `"a b" is not an address such as 127.0.0.1:8001`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env.Ready.setState(tt.state)
			for range 20 { // how a gRPC server answers HTTP depends on who is faster
				err := CheckHealth(t.Context(), tt.addr, TLSFlags{})
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got %v, want %s", err, tt.want)
				}
			}
		})
	}
	if err := stopHTTP(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := stopGRPC(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// notServing returns the address of a gRPC server that says it does not do its job.
func notServing(t *testing.T) string {
	t.Helper()
	lis, err := Listen("listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := health.NewServer()
	hs.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, hs)
	done := make(chan error, 1)
	go func() { done <- s.Serve(lis) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return lis.Addr().String()
}

// TestDialAway: a neighbour that is away is listed, and does not make the process unready; when it comes back it is found.
func TestDialAway(t *testing.T) {
	env, _ := testEnv()
	env.Ready.setState(serving)
	addr := testaddr.Unused(t)
	conn, err := Dial(env.ForService("gateway"), "replier", "passthrough:///"+addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reach := func(want connectivity.State) {
		t.Helper()
		for s := conn.GetState(); s != want; s = conn.GetState() {
			if !conn.WaitForStateChange(t.Context(), s) {
				t.Fatalf("stays %s, want %s", s, want)
			}
		}
	}
	report := func() (int, string) {
		w := httptest.NewRecorder()
		env.Ready.ServeHTTP(w, nil)
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	reach(connectivity.TransientFailure)
	if code, body := report(); code != http.StatusOK || body != `{"status":"ready","away":{"replier":"transient_failure"}}` {
		t.Errorf("away: %d %s", code, body)
	}
	g, err := ListenGRPC(env.ForService("replier"), "replier-listen", addr)
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, g)
	reach(connectivity.Ready)
	if code, body := report(); code != http.StatusOK || body != `{"status":"ready"}` {
		t.Errorf("back: %d %s", code, body)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestDialBadTarget(t *testing.T) {
	env, _ := testEnv()
	conn, err := Dial(env, "replier", "dns://%zz/replier:9001")
	want := `replier: "dns://%zz/replier:9001" is not a gRPC target; expected one such as dns:///bot:9001`
	if conn != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, %v; want %s…", conn, err, want)
	}
}
