package oauthsvc

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store"
	oauthv1 "wxgate/proto/oauth/v1"
)

// cluster runs a NATS server with JetStream, which listens on 127.0.0.1.
func cluster(t *testing.T) *server.Server {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(patience) {
		t.Fatal("no NATS server")
	}
	return ns
}

// openStore opens a store; end closes it before the test does.
func openStore(t *testing.T, cfg store.Config) (kept *store.Store, end func()) {
	t.Helper()
	cfg.Env = service.NewEnv(slog.New(slog.DiscardHandler))
	kept, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(kept.Close)
	t.Cleanup(end)
	return kept, end
}

// replicas runs three services of a platform on one cluster.
func (p *platform) replicas(t *testing.T) []*fixture {
	t.Helper()
	ns := cluster(t)
	var all []*fixture
	for range 3 {
		kept, _ := openStore(t, store.Config{URL: ns.ClientURL()})
		all = append(all, p.serveWith(t, func(cfg *Config) { cfg.Store = kept }))
	}
	return all
}

// TestColdHerd: 1,000 callers of 3 replicas, and WeChat is asked once.
func TestColdHerd(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	replicas := p.replicas(t)
	for name, tt := range map[string]struct {
		of  call // the one that is made once
		ask func(*fixture) (token string, err error)
	}{
		"GetAccessToken": {tokenCall, func(f *fixture) (string, error) {
			got, err := f.GetAccessToken(t.Context(), &oauthv1.GetAccessTokenRequest{})
			return got.GetAccessToken(), err
		}},
		"ExchangeCode": {exchangeCall, func(f *fixture) (string, error) { return f.exchange(t.Context(), "", testCode, testState) }},
		"GetUserInfo": {refreshCall, func(f *fixture) (string, error) {
			got, err := f.GetUserInfo(t.Context(), &oauthv1.GetUserInfoRequest{Openid: testOpenID})
			return got.GetUser().GetNickname(), err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := replicas[0].account(t)
			if err := replicas[0].server.users.put(t.Context(), a, testOpenID, userToken{AccessToken: "old", RefreshToken: testFresh}); err != nil {
				t.Fatal(err)
			}
			want := map[call]string{tokenCall: testAccountToken, exchangeCall: testToken, refreshCall: "n"}[tt.of]
			var all sync.WaitGroup
			for i := range 1000 {
				all.Go(func() {
					if got, err := tt.ask(replicas[i%3]); err != nil || got != want {
						t.Errorf("%q, %v; want %q", got, err, want)
					}
				})
			}
			all.Wait()
			if n := len(p.got(tt.of)); n != 1 {
				t.Errorf("WeChat was asked %d times; want once", n)
			}
		})
	}
}

// TestReplicasAreOne: the replicas share all that one of them knows.
func TestReplicasAreOne(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	replicas := p.replicas(t)
	for i, f := range replicas {
		if token, err := f.exchange(t.Context(), "", testCode, testState); err != nil || token != testToken {
			t.Errorf("replica %d: %q, %v; want the token", i, token, err)
		}
		_, err := f.exchange(t.Context(), "", "another", testState)
		expect(t, err, codes.PermissionDenied, "STATE_USED")
		if err := f.ofKept(t.Context()); err != nil {
			t.Errorf("replica %d: %v; want the user who logged in", i, err)
		}
	}
	p.expectCalls(t, exchangeCall, userInfoCall, userInfoCall, userInfoCall)
	p.says(exchangeCall, refusedWith(40163), newPlatform().answers[exchangeCall][0])
	for _, f := range replicas {
		_, err := f.exchange(t.Context(), "", "spent", "")
		expect(t, err, codes.InvalidArgument, "CODE_USED")
	}
	if err := replicas[0].forget(t.Context()); err != nil {
		t.Error(err)
	}
	for _, f := range replicas {
		expect(t, f.ofKept(t.Context()), codes.Unauthenticated, "LOGIN_REQUIRED")
	}
	p.expectCalls(t, exchangeCall)
}

// TestRestart: after a restart the answers are the same, without WeChat; with another AppSecret they are as if expired.
func TestRestart(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	api := httptest.NewServer(p)
	t.Cleanup(api.Close)
	dir := t.TempDir()
	run := func(secret string, test func(*fixture)) {
		t.Helper()
		kept, closeStore := openStore(t, store.Config{Dir: dir})
		f := startWith(t, func(cfg *Config) {
			cfg.APIURL, cfg.Store, cfg.Accounts.List[0].AppSecret = api.URL, kept, service.Secret(secret)
		})
		test(f)
		f.stop()
		closeStore()
	}
	run(testSecret, func(f *fixture) {
		for _, c := range []call{exchangeCall, tokenCall, ticketCall} {
			if err := f.do(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
		p.expectCalls(t, exchangeCall, tokenCall, ticketCall)
	})
	run(testSecret, func(f *fixture) {
		if token, err := f.exchange(t.Context(), "", testCode, testState); err != nil || token != testToken {
			t.Errorf("the code: %q, %v; want the token", token, err)
		}
		_, err := f.exchange(t.Context(), "", "another", testState)
		expect(t, err, codes.PermissionDenied, "STATE_USED")
		for _, c := range []call{tokenCall, ticketCall} {
			if err := f.do(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
		p.expectCalls(t)
		if err := f.ofKept(t.Context()); err != nil {
			t.Errorf("the user: %v", err)
		}
		p.expectCalls(t, userInfoCall)
	})
	run("another"+testSecret, func(f *fixture) {
		expect(t, f.ofKept(t.Context()), codes.Unauthenticated, "LOGIN_REQUIRED")
		p.expectCalls(t)
		if err := f.do(t.Context(), tokenCall); err != nil {
			t.Error(err)
		}
		p.expectCalls(t, tokenCall)
	})
	expectEncrypted(t, dir)
}

// expectEncrypted looks for secrets that are on disk unencrypted.
func expectEncrypted(t *testing.T, dir string) {
	t.Helper()
	size := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		size += len(data)
		for _, secret := range []string{testSecret, testCode, testState, testToken, testFresh, testOpenID, testAccountToken, testTicket} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return err
	})
	if err != nil || size < 1000 {
		t.Errorf("read %d bytes, %v; want what is kept", size, err)
	}
}

// TestStoreIsAway: while the cluster is unreachable, calls that need the store fail and the others work.
func TestStoreIsAway(t *testing.T) {
	p := newPlatform()
	ns := cluster(t)
	kept, closeStore := openStore(t, store.Config{URL: ns.ClientURL()})
	f := p.serveWith(t, func(cfg *Config) { cfg.Store = kept })
	if err := f.do(t.Context(), exchangeCall); err != nil {
		t.Fatal(err)
	}
	p.got("")
	closeStore() // as a cluster that is away, without the wait for it
	for _, c := range []call{exchangeCall, tokenCall, sendCall} {
		expect(t, f.do(t.Context(), c), codes.Unavailable, "STORE_UNAVAILABLE")
	}
	expect(t, f.ofKept(t.Context()), codes.Unavailable, "STORE_UNAVAILABLE")
	expect(t, f.forget(t.Context()), codes.Unavailable, "STORE_UNAVAILABLE")
	p.expectCalls(t)
	if err := f.do(t.Context(), userInfoCall); err != nil {
		t.Errorf("with a token of the caller's: %v", err)
	}
}

// TestFailed: a store's own deadline is not taken for WeChat's.
func TestFailed(t *testing.T) {
	for _, tt := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{fmt.Errorf("%w: %w", store.ErrUnavailable, context.DeadlineExceeded), codes.Unavailable, "STORE_UNAVAILABLE"},
		{context.DeadlineExceeded, codes.DeadlineExceeded, "UPSTREAM_TIMEOUT"},
		{errOtherSecret, codes.Internal, ""},
		{fmt.Errorf("make: %w", loginRequired()), codes.Unauthenticated, "LOGIN_REQUIRED"},
	} {
		if f := failureOf(t.Context(), tt.err); f.Code != tt.code || f.Reason.Name() != tt.reason {
			t.Errorf("%v: %s %s; want %s %s", tt.err, f.Code, f.Reason.Name(), tt.code, tt.reason)
		}
	}
}

// TestFindingsRenamedAccount: an account that gets another name, or a new AppSecret beside the previous one, keeps its users.
func TestFindingsRenamedAccount(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	kept, _ := openStore(t, store.Config{Dir: t.TempDir()})
	single := p.serveWith(t, func(cfg *Config) { cfg.Store = kept })
	if err := single.do(t.Context(), exchangeCall); err != nil {
		t.Fatal(err)
	}
	single.stop()
	for name, tt := range map[string]struct {
		entry, reason string
	}{
		"another name":           {"{name: shop, app_id: " + testAppID + ", app_secret: " + testSecret + "}", ""},
		"another AppSecret":      {"{name: shop, app_id: " + testAppID + ", app_secret: new, previous_app_secret: " + testSecret + "}", ""},
		"without the one before": {"{name: shop, app_id: " + testAppID + ", app_secret: new}", "LOGIN_REQUIRED"},
		"another AppID":          {"{name: default, app_id: wxother, app_secret: " + testSecret + "}", "LOGIN_REQUIRED"},
	} {
		t.Run(name, func(t *testing.T) {
			path := accountsFile(t, "", tt.entry)
			f := p.serveWith(t, func(cfg *Config) { cfg.Store, cfg.Accounts = kept, accounts.Source{File: path} })
			if got := seen(t, f.ofKept(t.Context())); got.Reason != tt.reason {
				t.Errorf("got %+v; want %q", got, tt.reason)
			}
		})
	}
}
