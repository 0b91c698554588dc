package login

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var testHosts = []string{"www.good.example", "good.example:8443"}

// badReturns are addresses that must lead nowhere.
var badReturns = []string{
	"", "x", "?x", "#x", ".", "..", "//", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example", "/\\/evil.example",
	"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "/x ", " /x", "/x\x00", "/x\x7f", "\x01/x", "/x\r\nSet-Cookie: a=b",
	"/%2fevil.example", "/%2F%2Fevil.example", "/%5cevil.example", "/%5C/evil.example", "/x%zz",
	"https://evil.example", "http://evil.example/", "https:evil.example", "https:/evil.example", "https:///evil.example", "https:\\\\evil.example", "HTTPS://evil.example",
	"https://www.good.example@evil.example", "https://www.good.example:x@evil.example/", "https://good.example@evil.example", "https://user@www.good.example/",
	"https://evil.example#www.good.example", "https://evil.example?www.good.example", "https://evil.example/www.good.example", "https://evil.example\\.www.good.example",
	"https://www.good.example\\@evil.example", "https://www.good.example.evil.example", "https://evilwww.good.example", "https://www.good.example:8443", "https://good.example",
	"https://good.example:", "https://www.good.example%00.evil.example", "https://www.good.example%2eevil.example", "https://www.good.example%40evil.example", "https://[::1]/", "https://",
	"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://www.good.example/", "javascript://www.good.example/%0aalert(1)",
	"weixin://dl/business", "/é", "/你好", "/\u2028", "/\uff0fevil.example", "https://www.good.example\u3002evil.example", "/" + strings.Repeat("x", maxReturnTo),
}

// goodReturns are addresses that a login may lead to.
var goodReturns = []string{
	"/", "/oauth/userinfo", "/shop?a=b&c=%2F%2Fevil.example#d", "/?to=https://evil.example", "/#//evil.example", "/a//b", "/./x", "/%E4%BD%A0", "/a@b:c", "/:80", "/;x",
	"https://www.good.example", "https://www.good.example/", "http://www.good.example/x?y#z", "https://good.example:8443/x", "https://www.good.example?x", "https://www.good.example#//evil.example",
	"/" + strings.Repeat("x", maxReturnTo-1),
}

func TestReturnTo(t *testing.T) {
	for _, to := range badReturns {
		if isAllowedReturn(to, testHosts) {
			t.Errorf("%q is allowed", to)
		}
	}
	for _, to := range goodReturns {
		if !isAllowedReturn(to, testHosts) {
			t.Errorf("%q is not allowed", to)
		}
		if !strings.HasPrefix(to, "/") && isAllowedReturn(to, nil) {
			t.Errorf("%q is allowed where no host is", to)
		}
	}
}

// TestFindingsReturnToTheLogin: a login does not lead to another one, nor to a logout, nor to an address that does not fit into
// WeChat's; each is refused when it begins.
func TestFindingsReturnToTheLogin(t *testing.T) {
	f, fake := start(t, func(cfg *Config) {
		cfg.PublicURL = "https://wx.example.com"
		cfg.ReturnHosts = append(cfg.ReturnHosts, "wx.example.com")
	})
	for to, want := range map[string]int{
		"/oauth/login": 400, "/oauth/login?scope=snsapi_base": 400, "/oauth/logout": 400, "/oauth/callback?code=x": 400, "/oauth/failed": 400, "/oauth": 400, "/oauth/": 400,
		"/oauth/%6cogin": 400, "/x/../oauth/login": 400, "/oauth/userinfo/../login": 400, "/oauth/./login/": 400, "https://wx.example.com/oauth/login": 400,
		"/?" + strings.Repeat("&", 1020): 400, "/oauth/userinfo?account=safe": 302, "/oauthx/login": 302, "/x?to=/oauth/login": 302,
		"https://wx.example.com/oauth/userinfo": 302, "https://www.good.example/oauth/login": 302, "/" + strings.Repeat("x", maxReturnTo-1): 302,
	} {
		before := len(fake.made())
		got := f.visit(t, loginPath+"?return_to="+url.QueryEscape(to))
		if got.Status != want || want == 400 && (!strings.Contains(got.Body, "return_to") || len(fake.made()) != before) {
			t.Errorf("%.60s: %d %s; want %d", to, got.Status, got.Body, want)
		}
	}
}

// TestFindingsChineseReturnAddress: an address as people write it leads to where browsers go with it.
func TestFindingsChineseReturnAddress(t *testing.T) {
	f, _ := start(t, nil)
	for to, want := range map[string]string{
		"/商店?名=值#顶": "/%E5%95%86%E5%BA%97?%E5%90%8D=%E5%80%BC#%E9%A1%B6", "/é%20x": "/%C3%A9%20x", "/x": "/x",
		"https://www.good.example/商": "https://www.good.example/%E5%95%86", "/\uff0fevil.example": "/%EF%BC%8Fevil.example",
	} {
		b := f.login(t, "?return_to="+url.QueryEscape(to))
		if got := f.visit(t, b.back(testCode), b.cookie); got.Status != 302 || got.Header.Get("Location") != want {
			t.Errorf("%s leads to %d %q, want %q", to, got.Status, got.Header.Get("Location"), want)
		}
		if got := f.do(t, "POST", f.public+logoutPath+"?return_to="+url.QueryEscape(to), nil); got.Header.Get("Location") != want {
			t.Errorf("logout to %s leads to %q, want %q", to, got.Header.Get("Location"), want)
		}
	}
	for _, to := range []string{"https://www.good.example\u3002evil.example", "https://商店.example/", "/\xff", "/商店 x", "//商店"} {
		if got := f.visit(t, loginPath+"?return_to="+url.QueryEscape(to)); got.Status != 400 {
			t.Errorf("%q: %d to %q, want 400", to, got.Status, got.Header.Get("Location"))
		}
	}
}

// Wherever a return address is read it is refused alike.
func TestBadReturnsOverHTTP(t *testing.T) {
	f, fake := start(t, nil)
	for _, to := range badReturns {
		if to == "" || isAllowedReturn(escapeReturn(to), testHosts) { // stands for the default; has only to be escaped
			continue
		}
		for _, path := range []string{loginPath, callbackPath, logoutPath} {
			visit := f.visit
			if path == callbackPath {
				visit = f.fails
			}
			if got := visit(t, path+"?return_to="+url.QueryEscape(to)); got.Status != 400 || got.Header.Get("Location") != "" {
				t.Errorf("%s to %q: %d to %q; want 400", path, to, got.Status, got.Header.Get("Location"))
			}
		}
	}
	if got := fake.made(); len(got) != 0 {
		t.Errorf("oauthsvc was asked %v", got)
	}
}

var (
	schemePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)
	slashes       = regexp.MustCompile(`^/{2,}`)
)

// browserHost returns the host to which a browser on a page of https://own.example goes by a Location header: the
// steps of the WHATWG URL standard in which browsers and net/url differ, the rest by net/url. "" is none.
func browserHost(location string) string {
	s := strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	head, tail := s, ""
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		head, tail = s[:i], s[i:]
	}
	head = strings.ReplaceAll(head, `\`, "/")
	if scheme := schemePattern.FindString(head); scheme != "" {
		rest := head[len(scheme):]
		switch scheme = strings.ToLower(scheme); {
		case scheme != "https:" && scheme != "http:":
			return ""
		case scheme == "https:" && !strings.HasPrefix(rest, "//"): // relative, as the page has that scheme
			head = rest
		default:
			head = scheme + "//" + strings.TrimLeft(rest, "/")
		}
	} else {
		head = slashes.ReplaceAllString(head, "//")
	}
	base := &url.URL{Scheme: "https", Host: "own.example", Path: "/oauth/callback"}
	u, err := url.Parse(head + tail)
	if err != nil {
		return ""
	}
	return strings.ToLower(base.ResolveReference(u).Host)
}

func TestBrowserHost(t *testing.T) {
	for location, want := range map[string]string{
		"/x": "own.example", "x": "own.example", "//evil.example": "evil.example", `/\evil.example`: "evil.example", `\\evil.example/x`: "evil.example",
		"/\t/evil.example": "evil.example", "\v//evil.example": "evil.example", "///evil.example": "evil.example", "https:evil": "own.example",
		"http:evil.example": "evil.example", "https:///evil.example": "evil.example", `https:\\evil.example`: "evil.example", "HTTPS://Evil.example": "evil.example",
		"https://a@evil.example": "evil.example", "/?//evil.example": "own.example", "javascript:x": "",
	} {
		if got := browserHost(location); got != want {
			t.Errorf("%q leads to %q, want %q", location, got, want)
		}
	}
}

// FuzzReturnTo: what is allowed leads a browser to our own host or to a listed one, and nowhere else.
func FuzzReturnTo(f *testing.F) {
	for _, to := range slices.Concat(badReturns, goodReturns) {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		to = escapeReturn(to)
		if !isAllowedReturn(to, testHosts) {
			return
		}
		if len(to) > maxReturnTo {
			t.Errorf("%d bytes are allowed", len(to))
		}
		if host := browserHost(to); host != "own.example" && !slices.Contains(testHosts, host) {
			t.Errorf("%q leads to %q", to, host)
		}
		resolved, err := (&url.URL{Scheme: "https", Host: "own.example", Path: "/"}).Parse(to)
		if err != nil || resolved.User != nil || resolved.Host != "own.example" && !slices.Contains(testHosts, resolved.Host) {
			t.Errorf("%q is resolved to %v, %v", to, resolved, err)
		}
		if strings.HasPrefix(to, "/") && browserHost(to) != "own.example" {
			t.Errorf("%q is a path and leads to %q", to, browserHost(to))
		}
	})
}

var stateForm = regexp.MustCompile(`^[a-zA-Z0-9]{1,128}$`)

// FuzzState: a state is good for the account and return address for which it was made, until it is old, and no other
// string is one.
func FuzzState(f *testing.F) {
	f.Add("main", "/oauth/userinfo", "", int64(0))
	f.Add("", "", "main", int64(599))
	f.Add("main/", "x", "main", int64(600))
	f.Add("a", "b", strings.Repeat("0", 72), int64(601))
	f.Add("a", "b", strings.Repeat("f", 72), int64(-1))
	f.Add("a\x00", "b", strings.Repeat("é", 36), int64(1<<40))
	signer := newStateSigner([][]byte{[]byte(testSessionKey)})
	made := time.Unix(1767225600, 0)
	f.Fuzz(func(t *testing.T, account, to, other string, later int64) {
		state := signer.makeState(account, to, made)
		if !stateForm.MatchString(state) {
			t.Fatalf("state %q is not what WeChat takes", state)
		}
		later %= int64(1 << 31)
		err := signer.checkState(state, account, to, made.Add(time.Duration(later)*time.Second))
		if young := later <= int64(stateLife.Seconds()); young != (err == nil) {
			t.Errorf("after %d s: %v", later, err)
		}
		for _, wrong := range [][3]string{
			{state, account + other, to}, {state, account, to + other}, {state, to, account}, {state, account + to, ""}, {state, "", account + to},
			{state, strings.Repeat("z", len(account)), to}, {state, account, strings.Repeat("z", len(to))},
			{other, account, to}, {state + other, account, to}, {other + state, account, to},
		} {
			if wrong == [3]string{state, account, to} {
				continue
			}
			if err := signer.checkState(wrong[0], wrong[1], wrong[2], made); err == nil {
				t.Errorf("state %q is good for account %q and return address %q", wrong[0], wrong[1], wrong[2])
			}
		}
	})
}
