package login

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"wxgate/internal/service"
	"wxgate/internal/store/storetest"
	oauthv1 "wxgate/proto/oauth/v1"
)

func TestMain(m *testing.M) { storetest.VerifyTestMain(m) }

// The account of these tests, and what else must never show up in a log.
const (
	testAppID      = "wx0000000000000001"
	testUser       = "oGateway0000000000000000001"
	testSessionKey = "sessionkeysessionkeysessionkey0123"
	testCode       = "codecodecode021"
	testAccess     = "57_sampleWebAccessToken"
)

// unloggable holds what no log line may hold, whatever a test does.
var unloggable = []string{testUser, "confide", testSessionKey, testCode, testAccess, "state="}

// fixture is a login over real connections, with an oauthsvc that the test plays. Its main account is plain.
type fixture struct {
	client *http.Client
	addr   net.Addr
	public string // base URL
	log    *buffer
	stop   func() // ends the server and waits for it
}

// start serves a login, configured by change, with an oauthsvc that the test plays; nil: as it is.
func start(t testing.TB, change func(*Config)) (*fixture, *fakeOAuth) {
	t.Helper()
	fake := &fakeOAuth{fails: map[string]error{}, states: map[string]string{}, profile: testProfile(),
		token: &oauthv1.Token{AccessToken: testAccess, Openid: testUser, Scope: "snsapi_userinfo"}}
	f := &fixture{log: &buffer{}}
	env := service.NewEnv(slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	cfg := Config{
		Log:         env.Log,
		OAuth:       dialOAuth(t, fake.listen(t)),
		Accounts:    accountsNamed("plain", "compat", "safe"),
		ReturnHosts: []string{"www.good.example", "good.example:8443"},
		SessionKey:  testSessionKey,
	}
	if change != nil {
		change(&cfg)
	}
	mux := http.NewServeMux()
	if err := AddRoutes(mux, cfg); err != nil {
		t.Fatal(err)
	}
	server, err := service.ListenHTTP(env, "listen", "127.0.0.1:0", service.LogRequests(env.Log, false, mux))
	if err != nil {
		t.Fatal(err)
	}
	f.addr = server.Addr()
	f.public = "http://" + f.addr.String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx, env.Ready, server) }()
	transport := &http.Transport{DisableCompression: true}
	f.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	f.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		f.stop()
		for _, secret := range unloggable {
			if strings.Contains(f.log.String(), secret) {
				t.Errorf("the log holds %q:\n%s", secret, f.log.String())
			}
		}
	})
	return f, fake
}

// accountsNamed returns accounts that do not change; the first is the main one.
func accountsNamed(names ...string) func() *Accounts {
	fixed := &Accounts{Main: names[0], AppIDs: map[string]string{}}
	for _, name := range names {
		fixed.AppIDs[name] = testAppID
	}
	return func() *Accounts { return fixed }
}

// answer is what a caller got.
type answer struct {
	Status  int
	Header  http.Header
	Body    string
	Cookies map[string]*http.Cookie
}

// do sends a request; edit may change it.
func (f *fixture) do(t testing.TB, method, url string, body io.Reader, edit ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(r)
	}
	resp, err := f.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{resp.StatusCode, resp.Header, string(data), map[string]*http.Cookie{}}
	for _, c := range resp.Cookies() {
		got.Cookies[c.Name] = c
	}
	return got
}

// header returns an edit that sets a request header.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// lines ends the server and returns its log's lines with that message.
func (f *fixture) lines(t testing.TB, msg string) []map[string]any {
	t.Helper()
	f.stop()
	var found []map[string]any
	for line := range strings.Lines(f.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("a log line is not JSON: %v\n%s", err, line)
		}
		if fields["msg"] == msg {
			found = append(found, fields)
		}
	}
	return found
}

// buffer is a bytes.Buffer for concurrent use.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
