package service

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Two keys, and how a log names them: printf KEY | sha256sum | head -c 8.
const (
	keyA, nameA = "0123456789abcdef0123456789abcdef", "key:3eb1bd43"
	keyB, nameB = "fedcba9876543210fedcba9876543210", "key:4ba68aa8"
)

// guarded returns an Env whose callers are asked for a key.
func guarded(t *testing.T, keys string) (Env, *logBuffer) {
	t.Helper()
	env, log := testEnv()
	env, err := GuardFlags{InternalKey: Secret(keys)}.WithGuard(env)
	if err != nil {
		t.Fatal(err)
	}
	return env, log
}

func TestInternalKey(t *testing.T) {
	const long = "; expected at least 32; openssl rand -hex 32 makes one"
	const odd = " has a character that an HTTP header cannot carry; expected printable ASCII without spaces"
	for _, tt := range []struct {
		name, keys string
		want       []string // the keys in use
		err        string
	}{
		{"none", "", nil, ""},
		{"one", keyA, []string{keyA}, ""},
		{"two", keyB + "," + keyA, []string{keyB, keyA}, ""},
		{"spaces around", " " + keyA + " , " + keyB + "\n", []string{keyA, keyB}, ""},
		{"short", keyA[1:], nil, "internal key: key 1 has 31 characters" + long},
		{"empty between", keyA + ",," + keyB, nil, "internal key: key 2 has 0 characters" + long},
		{"space within", keyA + " " + keyB, nil, "internal key: key 1" + odd},
		{"no ASCII", keyA + ",ключ" + keyB, nil, "internal key: key 2" + odd},
		{"all wrong", "a," + keyA + ",b", nil, "internal key: key 1 has 1 characters" + long + "\ninternal key: key 3 has 1 characters" + long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env, _ := testEnv()
			env, err := GuardFlags{InternalKey: Secret(tt.keys)}.WithGuard(env)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.err, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			var keys []string
			if env.Guard != nil {
				for _, k := range env.Guard.keys {
					keys = append(keys, k.secret.Reveal())
				}
			}
			if diff := cmp.Diff(tt.want, keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// shown are the authorization headers that callers send, and what becomes of them.
var shown = []struct {
	name    string
	headers []string
	peer    string // "": refused
	cause   string
}{
	{"first key", []string{"Bearer " + keyA}, nameA, ""},
	{"second key", []string{"Bearer " + keyB}, nameB, ""},
	{"scheme in lower case", []string{"bearer " + keyA}, nameA, ""},
	{"none", nil, "", "no key"},
	{"wrong", []string{"Bearer " + strings.Repeat("x", 32)}, "", "an unknown key"},
	{"its beginning", []string{"Bearer " + keyA[:31]}, "", "an unknown key"},
	{"more than it", []string{"Bearer " + keyA + "0"}, "", "an unknown key"},
	{"both at once", []string{"Bearer " + keyA + "," + keyB}, "", "an unknown key"},
	{"empty", []string{"Bearer "}, "", "an unknown key"},
	{"no scheme", []string{keyA}, "", "an authorization that is not a bearer key"},
	{"another scheme", []string{"Basic " + keyA}, "", "an authorization that is not a bearer key"},
	{"twice", []string{"Bearer " + keyA, "Bearer " + keyA}, "", "more than one authorization"},
}

// TestGuardGRPC: a call with a key is heard and named, another is neither.
func TestGuardGRPC(t *testing.T) {
	env, log := guarded(t, keyA+","+keyB)
	heard := 0
	conn, stop := startGRPC(t, env, func(context.Context) error { heard++; return nil })
	for _, tt := range shown {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			for _, h := range tt.headers {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", h)
			}
			heard = 0
			want, level, peer, cause := codes.OK, "INFO", tt.peer, any(nil)
			if tt.peer == "" {
				want, level, peer, cause = codes.Unauthenticated, "WARN", "127.0.0.1", tt.cause
			}
			err := invoke(ctx, conn)
			if status.Code(err) != want || heard != 1-min(1, int(want)) {
				t.Errorf("got %v, heard %d times, want %s", err, heard, want)
			}
			if err != nil && status.Convert(err).Message() != "expected authorization: Bearer and a key of --internal-key" {
				t.Errorf("the caller is told %q", status.Convert(err).Message())
			}
			lines := log.lines(t, "rpc")
			if l := lines[len(lines)-1]; l["peer"] != peer || l["cause"] != cause || l["level"] != level || l["code"] != want.String() {
				t.Errorf("logged %v, want peer %s, cause %v", l, peer, cause)
			}
		})
	}
	if n := handled(t, env.Gatherer, map[string]string{"grpc_code": "Unauthenticated"}); n != 9 {
		t.Errorf("counted %v refused calls, want 9", n)
	}
	noKeys(t, log)
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestGuardInProcess: a client in the process needs no key.
func TestGuardInProcess(t *testing.T) {
	env, log := guarded(t, keyA+","+keyB)
	g, err := ListenGRPC(env, "replier-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.RegisterService(testService(func(context.Context) error { return nil }), nil)
	conn, err := Connect(env, "replier", Target{Local: g})
	if err != nil {
		t.Fatal(err)
	}
	if err := invoke(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if peer := log.line(t, "rpc")["peer"]; peer != "in-process" {
		t.Errorf("logged peer %v", peer)
	}
	noKeys(t, log)
}

// TestGuardStreams: a stream wants a key like a call does, reflection too; health wants none.
func TestGuardStreams(t *testing.T) {
	env, log := guarded(t, keyA)
	limited, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a stream that is let in may wait for ever
	defer cancel()
	conn, stop := startGRPC(t, env, func(context.Context) error { return nil })
	open := func(ctx context.Context) error {
		s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, stream)
		if err != nil {
			return err
		}
		_ = s.CloseSend()
		if err := s.RecvMsg(&emptypb.Empty{}); !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
	if err := open(limited); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stream without a key: %v", err)
	}
	if err := open(metadata.AppendToOutgoingContext(limited, "authorization", "Bearer "+keyA)); err != nil {
		t.Errorf("a stream with a key: %v", err)
	}
	lines := log.lines(t, "rpc")
	if len(lines) != 2 || lines[0]["code"] != "Unauthenticated" || lines[0]["peer"] != "127.0.0.1" || lines[0]["cause"] != "no key" ||
		lines[1]["code"] != "OK" || lines[1]["peer"] != nameA || lines[1]["method"] != stream {
		t.Errorf("logged %v", lines)
	}

	ask, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(limited)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("reflection without a key: %v", err)
	}
	lines = log.lines(t, "rpc")
	if last := lines[len(lines)-1]; last["level"] != "WARN" || !strings.HasPrefix(last["method"].(string), "/grpc.reflection.") {
		t.Errorf("refused reflection is logged as %v", last)
	}

	if _, err := healthv1.NewHealthClient(conn).Check(limited, &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("health without a key: %v", err)
	}
	watching, stopWatching := context.WithCancel(limited)
	watch, err := healthv1.NewHealthClient(conn).Watch(watching, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Errorf("a health watch without a key: %v", err)
	}
	stopWatching()
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestGuardHTTP: routes want a key, which goes no further; metrics and health want none.
func TestGuardHTTP(t *testing.T) {
	env, log := guarded(t, keyA+","+keyB)
	heard := 0
	h, err := ListenInternal(env, "internal-listen", "127.0.0.1:0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		heard++
		if r.Header["Authorization"] != nil {
			t.Error("the key was handed on")
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ask := func(method, path string, headers []string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		r.RemoteAddr = "[2001:db8::7]:4711"
		r.Header["Authorization"] = headers
		w := httptest.NewRecorder()
		h.server.Handler.ServeHTTP(w, r)
		return w
	}
	for _, tt := range shown {
		t.Run(tt.name, func(t *testing.T) {
			heard = 0
			want, peer, cause := http.StatusOK, tt.peer, any(nil)
			if tt.peer == "" {
				want, peer, cause = http.StatusUnauthorized, "2001:db8::7", tt.cause
			}
			w := ask("POST", "/v1/reply", tt.headers)
			if w.Code != want || (heard == 1) != (want == http.StatusOK) {
				t.Errorf("got %d, heard %d times, want %d", w.Code, heard, want)
			}
			if want != http.StatusOK {
				got := []string{w.Body.String(), w.Header().Get("Content-Type"), w.Header().Get("WWW-Authenticate")}
				told := []string{`{"code":16,"message":"expected authorization: Bearer and a key of --internal-key","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UNAUTHENTICATED","domain":"wxgate","metadata":{}}]}`, "application/json", "Bearer"}
				if diff := cmp.Diff(told, got); diff != "" {
					t.Errorf("the caller is told (-want +got):\n%s", diff)
				}
			}
			lines := log.lines(t, "http")
			if l := lines[len(lines)-1]; l["peer"] != peer || l["cause"] != cause || l["status"] != float64(want) || l["path"] != "/v1/reply" {
				t.Errorf("logged %v, want peer %s, cause %v", l, peer, cause)
			}
		})
	}
	logged := len(log.lines(t, "http"))
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		if w := ask("GET", path, nil); w.Code == http.StatusUnauthorized || w.Code == http.StatusNotFound {
			t.Errorf("%s without a key: %d", path, w.Code)
		}
	}
	if n := len(log.lines(t, "http")); n != logged {
		t.Errorf("probes made %d lines", n-logged)
	}
	heard = 0
	for _, path := range []string{"/", "/openapi.json", "/metrics/", "/livez/v1", "/v1/readyz", "/%6Civez/v1", "/v1/reply?a=/livez"} {
		if w := ask("GET", path, nil); w.Code != http.StatusUnauthorized || heard > 0 {
			t.Errorf("%s without a key: %d", path, w.Code)
		}
	}
	noKeys(t, log)
}

// TestUnguarded: without a key set, nobody is asked, and what a caller sends as one names nobody.
func TestUnguarded(t *testing.T) {
	env, log := testEnv()
	conn, stop := startGRPC(t, env, func(context.Context) error { return nil })
	if err := invoke(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+keyA), conn); err != nil {
		t.Error(err)
	}
	if l := log.line(t, "rpc"); l["peer"] != "127.0.0.1" {
		t.Errorf("logged %v", l)
	}
	noKeys(t, log)
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestDialShows: a service of ours is shown the first key, somebody else's none.
func TestDialShows(t *testing.T) {
	seen := make(chan []string, 1)
	server, _ := testEnv()
	conn, stop := startGRPC(t, server, func(ctx context.Context) error {
		seen <- metadata.ValueFromIncomingContext(ctx, "authorization")
		return nil
	})
	env, _ := guarded(t, keyB+","+keyA)
	plain, _ := testEnv()
	for _, tt := range []struct {
		name string
		env  Env
		dial func(env Env, name, target string) (*grpc.ClientConn, error)
		want []string
	}{
		{"ours", env, DialOwn, []string{"Bearer " + keyB}},
		{"a bot", env, Dial, nil},
		{"ours, no key set", plain, DialOwn, nil},
	} {
		client, err := tt.dial(tt.env.ForService(strings.Fields(tt.name)[0]), "replier", conn.CanonicalTarget())
		if err != nil {
			t.Fatal(err)
		}
		if err := invoke(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, <-seen); diff != "" {
			t.Errorf("%s: shown (-want +got):\n%s", tt.name, diff)
		}
		_ = client.Close()
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestWarnsWhereOpen: a listener beyond this machine that asks nobody says so at its start.
func TestWarnsWhereOpen(t *testing.T) {
	type listen func(env Env, addr string) (Server, error)
	grpcServer := func(env Env, addr string) (Server, error) { return ListenGRPC(env, "replier-listen", addr) }
	internal := func(env Env, addr string) (Server, error) { return ListenInternal(env, "internal-listen", addr, nil) }
	public := func(env Env, addr string) (Server, error) { return ListenHTTP(env, "listen", addr, nil) }
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, tt := range []struct {
		name, addr, key string
		listen          listen
		flag            string // of the warning; "": none
	}{
		{"gRPC", ":0", "", grpcServer, "replier-listen"},
		{"gRPC, an address", "0.0.0.0:0", "", grpcServer, "replier-listen"},
		{"gRPC, loopback", "127.0.0.1:0", "", grpcServer, ""},
		{"gRPC, a key", ":0", keyA, grpcServer, ""},
		{"internal", ":0", "", internal, "internal-listen"},
		{"internal, loopback", "127.0.0.1:0", "", internal, ""},
		{"internal, a key", ":0", keyA, internal, ""},
		{"public", ":0", "", public, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env, log := guarded(t, tt.key)
			s, err := tt.listen(env, tt.addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Serve(stopped); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range log.lines(t, "this address accepts calls without authentication; set --internal-key, or --tls-cert, --tls-key and --tls-ca, or bind 127.0.0.1") {
				if l["level"] != "WARN" || l["addr"] == nil {
					t.Errorf("logged %v", l)
				}
				got = append(got, l["flag"].(string))
			}
			if strings.Join(got, " ") != tt.flag {
				t.Errorf("warned of %q, want %q", got, tt.flag)
			}
		})
	}
}

func noKeys(t *testing.T, log *logBuffer) {
	t.Helper()
	for _, key := range []string{keyA, keyB, keyA[:31]} {
		if strings.Contains(log.String(), key) {
			t.Errorf("a key is in the log: %s", log)
		}
	}
}
