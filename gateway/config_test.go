package gateway

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/testaddr"
)

func TestValidate(t *testing.T) {
	account := func(change func(*accounts.Account)) func(*Config) {
		return func(c *Config) {
			a := c.Accounts.List[2]
			change(&a)
			c.Accounts.List = []accounts.Account{a}
		}
	}
	const sessionKey = "expected at least 32; openssl rand -hex 32 makes one"
	const publicURL = `expected scheme and host in lower case, such as https://wx.example.com`
	tests := []struct {
		name string
		bad  func(*Config)
		want string // "": valid
	}{
		{"good", func(*Config) {}, ""},
		{"no account", func(c *Config) { c.Accounts.List = nil }, "no account"},
		{"two accounts of one name", func(c *Config) { c.Accounts.List[1].Name = "plain" }, `account name "plain" is given twice`},
		{"no name", account(func(a *accounts.Account) { a.Name = "" }), `account name ""; expected 1 to 64 letters, digits, - or _`},
		{"odd name", account(func(a *accounts.Account) { a.Name = "a/b" }), `account name "a/b"; expected 1 to 64 letters, digits, - or _`},
		{"name with a line break", account(func(a *accounts.Account) { a.Name = "a\n" }), `account name "a\n"; expected 1 to 64 letters, digits, - or _`},
		{"no token", account(func(a *accounts.Account) { a.Token = "" }), "token: missing; expected the token that the console has for the callback URL"},
		{"no AppID", account(func(a *accounts.Account) { a.AppID = "" }), "app id: missing; mode safe checks it"},
		{"no AES key", account(func(a *accounts.Account) { a.AESKey = "" }), "aes key: missing; mode safe opens envelopes with it"},
		{"short AES key", account(func(a *accounts.Account) { a.AESKey = service.Secret(testKey[:42]) }), "aes key: an EncodingAESKey has 43 characters, this one has 42"},
		{"odd AES key", account(func(a *accounts.Account) { a.AESKey = service.Secret("!" + testKey[:42]) }), "aes key: an EncodingAESKey has only the characters A-Z, a-z, 0-9, + and /"},
		{"odd mode", account(func(a *accounts.Account) { a.Mode = "aes" }), `mode: "aes"; expected plain, compat or safe`},
		{"plain needs neither AppID nor key", account(func(a *accounts.Account) { a.Mode, a.AppID, a.AESKey = accounts.Plain, "", "" }), ""},
		{"no reply timeout", func(c *Config) { c.ReplyTimeout = 0 }, "reply timeout: 0s; expected more than 100ms, which is kept for the work after the replier's answer, and less than 5s, when WeChat hangs up"},
		{"reply timeout beyond WeChat's", func(c *Config) { c.ReplyTimeout = 5 * time.Second }, "reply timeout: 5s; expected more than 100ms, which is kept for the work after the replier's answer, and less than 5s, when WeChat hangs up"},
		{"negative skew", func(c *Config) { c.MaxSkew = -time.Second }, "max skew: -1s; expected 0 (any) or more"},
		{"negative text length", func(c *Config) { c.MaxText = -1 }, "max text: -1; expected 0 (any) or more"},
		{"public URL", func(c *Config) { c.PublicURL = "https://wx.example.com:8443/" }, ""},
		{"public URL without a scheme", func(c *Config) { c.PublicURL = "wx.example.com" }, `public url: "wx.example.com"; ` + publicURL},
		{"public URL with a path", func(c *Config) { c.PublicURL = "https://wx.example.com/a" }, `public url: "https://wx.example.com/a"; ` + publicURL},
		{"public URL with a query", func(c *Config) { c.PublicURL = "https://wx.example.com?a" }, `public url: "https://wx.example.com?a"; ` + publicURL},
		{"public URL of another kind", func(c *Config) { c.PublicURL = "ftp://wx.example.com" }, `public url: "ftp://wx.example.com"; ` + publicURL},
		{"return hosts", func(c *Config) { c.ReturnHosts = []string{"a.example", "b.example:8443", "[::1]:80"} }, ""},
		{"return host as an address", func(c *Config) { c.ReturnHosts = []string{"https://a.example"} }, `return hosts: "https://a.example"; expected a whole host in lower case, such as www.example.com`},
		{"empty return host", func(c *Config) { c.ReturnHosts = []string{""} }, `return hosts: ""; expected a whole host in lower case, such as www.example.com`},
		{"no session key", func(c *Config) { c.SessionKey = "" }, ""},
		{"short session key", func(c *Config) { c.SessionKey = service.Secret(testSessionKey[:31]) }, "session key: key 1 has 31 characters; " + sessionKey},
		{"several session keys", func(c *Config) { c.SessionKey = testSessionKey + ", " + testSessionKey + "x" }, ""},
		{"one of several session keys is short", func(c *Config) { c.SessionKey = service.Secret(testSessionKey + "," + testSessionKey[:31]) }, "session key: key 2 has 31 characters; " + sessionKey},
		{"a session key is empty", func(c *Config) { c.SessionKey = "," + testSessionKey + ",  " },
			"session key: key 1 has 0 characters; " + sessionKey + "\nsession key: key 3 has 0 characters; " + sessionKey},
	}
	env := service.NewEnv(slog.New(slog.DiscardHandler))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := testConfig(env)
			test.bad(&cfg)
			got := ""
			if err := complete(cfg); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// All that is wrong is said at once, and no secret with it.
func TestValidateSaysAll(t *testing.T) {
	cfg := Config{Env: service.NewEnv(slog.New(slog.DiscardHandler)), ReplyTimeout: -1, MaxText: -1, MaxSkew: -1, PublicURL: "x", ReturnHosts: []string{"a/b", "c/d"}, SessionKey: "confide",
		Accounts: accounts.Source{List: []accounts.Account{{Mode: accounts.Safe, AESKey: "confide"}, {Mode: "odd", Name: "b"}}}}
	s, err := newServer(cfg)
	if err == nil {
		s.Close()
		t.Fatal("New takes it")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{"account name", "token", "app id", "aes key", "token", "mode", "reply timeout", "max text", "max skew", "public url", "return hosts", "return hosts", "session key"}
	var got []string
	for i, line := range lines {
		if i < len(want) && strings.HasPrefix(line, want[i]) {
			line = want[i]
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" || strings.Contains(err.Error(), "confide") {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestTakenAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for flag, set := range map[string]func(*Config){
		"listen: ":          func(c *Config) { c.Listen = taken.Addr().String() },
		"internal listen: ": func(c *Config) { c.InternalListen = taken.Addr().String() },
	} {
		cfg := testConfig(service.NewEnv(slog.New(slog.DiscardHandler)))
		cfg.Listen = testaddr.Unused(t)
		set(&cfg)
		if s, err := newServer(cfg); err == nil {
			s.Close()
			t.Errorf("New takes an address that is taken")
		} else if want := flag + taken.Addr().String() + " is in use by another process; choose another address"; err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
		if cfg.Listen != taken.Addr().String() {
			mustListen(t, cfg.Listen) // what was bound before is given back
		}
	}
}

func TestCloseFreesAddresses(t *testing.T) {
	s, err := newServer(testConfig(service.NewEnv(slog.New(slog.DiscardHandler))))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	mustListen(t, s.Addr().String())
	mustListen(t, s.InternalAddr().String())
}

func TestBadTarget(t *testing.T) {
	for name, set := range map[string]func(*Config){
		"replier": func(c *Config) { c.Replier.Addr = "unix:relative\x00" },
		"oauth":   func(c *Config) { c.OAuth.Addr = "unix:relative\x00" },
	} {
		cfg := testConfig(service.NewEnv(slog.New(slog.DiscardHandler)))
		set(&cfg)
		s, err := newServer(cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s: New takes a target that is none", name)
		} else if !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustListen(t testing.TB, addr string) {
	t.Helper()
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		t.Errorf("the address was not given back: %v", err)
		return
	}
	_ = lis.Close()
}

// TestFindingsSettingsThatCannotWork: a setting with which no callback or login can succeed stops the start.
func TestFindingsSettingsThatCannotWork(t *testing.T) {
	env := service.NewEnv(slog.New(slog.DiscardHandler))
	expect := func(t *testing.T, want string, change func(*Config)) {
		t.Helper()
		cfg := testConfig(env)
		change(&cfg)
		err := complete(cfg)
		switch {
		case want == "" && err != nil:
			t.Errorf("got %v, want no error", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got %v, want %s", err, want)
		case err != nil && strings.Contains(err.Error(), testToken):
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	for _, secret := range []struct{ name, before, after, want string }{
		{"a blank after", "", " ", "holds a space"}, {"a blank before", " ", "", "holds a space"}, {"a tab", "", "\t", "holds a space"},
		{"quotes", `"`, `"`, "holds a quote"}, {"single quotes", "'", "'", "holds a quote"},
		{"a byte order mark", "\ufeff", "", "begins with a byte order mark"}, {"not ASCII", "", "ü", "holds a space or another"},
		{"a line end inside", "", "\nx", "holds a space"}, {"nothing odd", "", "", ""},
	} {
		t.Run(secret.name, func(t *testing.T) {
			wrap := func(text string) service.Secret { return service.Secret(secret.before + text + secret.after) }
			for flag, change := range map[string]func(*Config){
				"token: ":   func(c *Config) { c.Accounts.List[0].Token = wrap(testToken) },
				"aes key: ": func(c *Config) { c.Accounts.List[2].AESKey = wrap(testKey) },
			} {
				if secret.want == "" {
					flag = ""
				}
				expect(t, flag, change)
				expect(t, secret.want, change)
			}
		})
	}
	for _, id := range []string{"wx1 ", `"wx1"`, "\ufeffwx1", "wx1\n"} {
		expect(t, "app id: expected", func(c *Config) { c.Accounts.List[2].AppID = id })
	}
	for _, url := range []string{"HTTPS://wx.example.com", "https://WX.example.com", "https://a.example?", "https://a.example#", "https://:443", "https://",
		"https://a.example:", "https://a.example:port", "https://user@a.example", "https://a.example/#", "https://a.example/?", "https://a b", "https://*.example.com",
		"https://例子.example", "//a.example"} {
		expect(t, "public url: ", func(c *Config) { c.PublicURL = url })
	}
	for _, url := range []string{"https://a.example", "http://a.example/", "https://a.example:8443", "http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost"} {
		expect(t, "", func(c *Config) { c.PublicURL = url })
	}
	for _, host := range []string{"WWW.Example.com", "*.example.com", "*", "a.example/", "a.example?", "a.example#x", ":443", "a.example:", " a.example", "例子.example", "-a.example", "a.example."} {
		expect(t, "return hosts: ", func(c *Config) { c.ReturnHosts = []string{host} })
	}
	for timeout, want := range map[time.Duration]string{margin / 2: "reply timeout: ", margin: "reply timeout: ", margin + time.Millisecond: ""} {
		expect(t, want, func(c *Config) { c.ReplyTimeout = timeout })
	}
}
