package test

import (
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

const loginGuide = "docs/LOGIN.md"

// browserLogin goes through a login and returns the browser's Cookie header.
func browserLogin(t *testing.T, base string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: testproc.Patience}
	page := testproc.Get(t, browser, base+"/oauth/login")
	link := testproc.AllowLink.FindStringSubmatch(page)
	if link == nil {
		t.Fatalf("no allow button:\n%s", page)
	}
	testproc.Get(t, browser, strings.ReplaceAll(link[1], "&amp;", "&"))
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, c := range jar.Cookies(at) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	if len(pairs) == 0 {
		t.Fatal("no cookie after the login")
	}
	return strings.Join(pairs, "; ")
}

// inPage gives Node what a page has: addresses without a host, the cookie, an element to write to.
const inPage = `
const plain = globalThis.fetch;
globalThis.fetch = (path, options) => plain(new URL(path, "http://127.0.0.1:8000"), { ...options, headers: { ...options?.headers, cookie: process.env.COOKIE } });
globalThis.location = { pathname: "/shop", search: "?item=1", hash: "#a", set href(to) { console.log("goes to", to); } };
globalThis.document = { querySelector: (which) => ({ set textContent(text) { console.log(which, text); } }) };
`

// guideProgram is a code block of the guide.
type guideProgram struct {
	file, source string
	run          []string // what runs it, without the file
}

// guidePrograms returns the guide's programs: those that have a file's name before them, and the page's script.
func guidePrograms(t *testing.T) []guideProgram {
	t.Helper()
	runners := map[string][]string{".py": {"python3"}, ".mjs": {"node"}, ".go": {"go", "run"}}
	text, err := os.ReadFile(filepath.Join("..", loginGuide))
	if err != nil {
		t.Fatal(err)
	}
	var all []guideProgram
	for _, found := range regexp.MustCompile("(?s)`([a-z]+(\\.[a-z]+))`:\n\n```[a-z]+\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, guideProgram{found[1], found[3], runners[found[2]]})
	}
	_, page, ok := strings.Cut(string(text), "```js\n")
	page, _, closed := strings.Cut(page, "```")
	if !ok || !closed || len(all) != 6 {
		t.Fatalf("the guide has %d programs; expected 6, and before them the page's script", len(all))
	}
	return append(all, guideProgram{"page.mjs", inPage + page, runners[".mjs"]})
}

// TestLoginGuide runs the guide's code beside wxgate dev, as the guide says. Addresses alone are changed.
func TestLoginGuide(t *testing.T) {
	t.Parallel()
	const key = "a-key-of-the-internal-address-for-tests"
	p := testproc.Start(t, testproc.Env("WXGATE_INTERNAL_KEY="+key), "dev")
	public, internal := "http://"+p.Addr("listen"), "http://"+p.Addr("internal-listen")
	addresses := strings.NewReplacer("http://127.0.0.1:8000", public, "http://127.0.0.1:8001", internal)
	cookie := browserLogin(t, public)
	const signature = `signature wx0123456789abcdef [0-9]{10} \S{16,} [0-9a-f]{40}`
	want := map[string][2]*regexp.Regexp{ // of who is logged in, and of who is not
		"who":     {regexp.MustCompile(`^示例&用户😀 ` + sender.User + `\n$`), regexp.MustCompile(`^nobody\n$`)},
		"page":    {regexp.MustCompile(`^#who 示例&用户😀\n$`), regexp.MustCompile(`^goes to /oauth/login\?return_to=%2Fshop%3Fitem%3D1%23a\n$`)},
		"service": {regexp.MustCompile(`^access token until 20\d\d-\S+\nuser 示例&用户😀\n` + signature + `\n$`), nil},
	}
	for _, program := range guidePrograms(t) {
		t.Run(program.file, func(t *testing.T) {
			if _, err := exec.LookPath(program.run[0]); err != nil {
				testproc.Missing(t, "no %s", program.run[0])
			}
			path := filepath.Join(t.TempDir(), program.file)
			if err := os.WriteFile(path, []byte(addresses.Replace(program.source)), 0o644); err != nil {
				t.Fatal(err)
			}
			run := func(more ...string) (stdout, stderr string, err error) {
				var out, errs bytes.Buffer
				cmd := exec.CommandContext(t.Context(), program.run[0], append(slices.Clone(program.run[1:]), path)...)
				cmd.Env = append(os.Environ(), append([]string{"PYTHONUTF8=1"}, more...)...)
				cmd.Stdout, cmd.Stderr = &out, &errs
				err = cmd.Run()
				return out.String(), errs.String(), err
			}
			kind, _, _ := strings.Cut(program.file, ".")
			good := []string{"COOKIE=" + cookie, "OPENID=" + sender.User, "INTERNAL_KEY=" + key}
			if out, errs, err := run(good...); err != nil || !want[kind][0].MatchString(out) {
				t.Errorf("says %q, %v, %s; want %s", out, err, errs, want[kind][0])
			}
			if kind != "service" {
				if out, errs, err := run("COOKIE=other=1"); err != nil || !want[kind][1].MatchString(out) {
					t.Errorf("where nobody is logged in, says %q, %v, %s; want %s", out, err, errs, want[kind][1])
				}
				return
			}
			// A user who never logged in: the program fails, and shows what wxgate says.
			if _, errs, err := run(append(good, "OPENID=oNobody00000000000000000001")...); err == nil || !strings.Contains(errs, "LOGIN_REQUIRED") {
				t.Errorf("of an unknown user, says %q, %v; want LOGIN_REQUIRED", errs, err)
			}
			if _, errs, err := run(append(good, "INTERNAL_KEY=x")...); err == nil || !strings.Contains(errs, "--internal-key") {
				t.Errorf("with another key, says %q, %v; want a word about --internal-key", errs, err)
			}
		})
	}
	testproc.NoSecrets(t, p, sender.User)
}
