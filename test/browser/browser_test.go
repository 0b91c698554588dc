package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"wxgate/fakewechat"
	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// screenshotsEnv names a directory where TestBrowser leaves pictures of the page for people to look at.
const screenshotsEnv = "WXGATE_SCREENSHOTS"

// tab is a page in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // of the console
}

// openTab opens a page in headless Chromium, whose user prefers a language.
func openTab(t *testing.T, url, language string) *tab {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no chromium")
		}
		t.Skip("there is no chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-background-networking", true))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil { // starts the browser
		t.Fatal(err)
	}
	b.do("open the page",
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			version, err := cdp.Call(ctx, target, browser.GetVersion, cdp.Empty{})
			if err != nil {
				return err
			}
			_, err = cdp.Call(ctx, target, emulation.SetUserAgentOverride,
				emulation.SetUserAgentOverrideParams{UserAgent: version.UserAgent, AcceptLanguage: language})
			return err
		}),
		chromedp.EmulateViewport(1440, 900), chromedp.Navigate(url), chromedp.WaitVisible("#users button"))
	return b
}

func (b *tab) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text + " " + fmt.Sprint(e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			problem = "console." + string(e.Type)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			problem = e.Entry.Text + " " + e.Entry.URL
		}
	case *page.EventJavascriptDialogOpening:
		problem = "a dialog opens: " + e.Message
	}
	if problem != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.problems = append(b.problems, problem)
	}
}

// quiet fails where the console has an error, other than of what is named.
func (b *tab) quiet(but ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		if slices.ContainsFunc(but, func(name string) bool { return strings.Contains(problem, name) }) {
			continue
		}
		b.t.Errorf("on the console: %s", problem)
	}
}

// named fails where a control has no name for who can't see it.
func (b *tab) named() {
	b.t.Helper()
	if unnamed := value[[]string](b, `[...document.querySelectorAll('button, textarea, input, select')].filter(e => !(e.innerText || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)`); len(unnamed) != 0 {
		b.t.Errorf("without a name: %q", unnamed)
	}
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, testproc.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v; the page reads\n%s", what, err, b.reads())
	}
}

// reads returns all that the page says.
func (b *tab) reads() string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// value evaluates an expression in the page.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, testproc.Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// waits waits until an expression is true in the page, which may be on its way to another.
func (b *tab) waits(expression, otherwise string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, testproc.Patience)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		switch {
		case is:
			return
		case ctx.Err() != nil:
			b.t.Fatalf("%s (%v); the page reads\n%s", otherwise, err, b.reads())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// sees waits until a part of the page, the last of its kind, reads so. (The page's policy forbids what chromedp waits by.)
func (b *tab) sees(selector, want string) {
	b.t.Helper()
	b.waits(fmt.Sprintf("!!([...document.querySelectorAll(%q)].at(-1)?.textContent.includes(%q))", selector, want),
		fmt.Sprintf("%s does not read %q", selector, want))
}

// click clicks what is there; what is drawn anew meanwhile is tried again.
func (b *tab) click(selector string) {
	b.t.Helper()
	for end := time.Now().Add(testproc.Patience); ; {
		ctx, cancel := context.WithTimeout(b.ctx, testproc.Patience)
		err := chromedp.Do(ctx, chromedp.Click(selector))
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("click %s: %v; the page reads\n%s", selector, err, b.reads())
		}
	}
}

// says writes a text and presses Enter.
func (b *tab) says(text string) {
	b.t.Helper()
	b.do("say "+text, chromedp.SendKeys("#text", text+"\r"))
	b.sees("#lines .mine .bubble", text)
}

// acts chooses from the + menu, fills the form where there is one, and sends it.
func (b *tab) acts(name string, values ...string) {
	b.t.Helper()
	b.click("#more")
	b.click(`[data-action="` + name + `"]`)
	if values == nil {
		return
	}
	for i, value := range values {
		b.fill(i, value)
	}
	b.click("#form .primary")
	b.do("wait for the form to close", chromedp.WaitNotVisible("#form"))
}

// fill puts a text into a field of the form.
func (b *tab) fill(i int, text string) {
	b.t.Helper()
	value[string](b, fmt.Sprintf("document.querySelectorAll('#form-fields input, #form-fields textarea')[%d].value = %q", i, text))
}

// sized gives the page a width and a color scheme; "" is the browser's own.
func (b *tab) sized(width int64, scheme string) {
	b.t.Helper()
	b.do("pose", chromedp.EmulateViewport(width, 860),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}))
}

// pictures takes screenshots, light and dark, at these widths, where somebody wants them.
func (b *tab) pictures(name string, widths ...int64) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range widths {
			b.sized(width, scheme)
			if tooWide := value[int](b, "document.documentElement.scrollWidth - innerWidth"); tooWide > 0 {
				b.t.Errorf("%s: %d pixels wider than %d", name, tooWide, width)
			}
			b.picture(fmt.Sprintf("%s-%d-%s", name, width, scheme))
		}
	}
	b.sized(desktop, "")
}

// picture takes a screenshot, if somebody wants it.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		return
	}
	time.Sleep(200 * time.Millisecond) // for what moves
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Widths of the screen, in pixels.
const (
	phone   = 390
	desktop = 1440
)

// startSite serves a platform for a gateway that plays wxgate's part.
func startSite(t *testing.T, gateway http.HandlerFunc) (p *fakewechat.Platform, url string, gw *httptest.Server) {
	t.Helper()
	gw = httptest.NewServer(gateway)
	t.Cleanup(gw.Close)
	account := sender.Account{AppID: testproc.AppID, AppSecret: testproc.AppSecret, Token: testproc.Token, OriginalID: testproc.OriginalID}
	p = fakewechat.New(fakewechat.Config{Account: account, Gateway: gw.URL})
	site := httptest.NewServer(p)
	t.Cleanup(site.Close)
	t.Cleanup(p.Close)
	return p, site.URL, gw
}

// copied presses a button that copies, and returns what.
func (b *tab) copied(button string) string {
	b.t.Helper()
	value[string](b, `window.copied = ''; navigator.clipboard.writeText = async s => { window.copied = s; }; ''`)
	b.click(button)
	b.waits("window.copied != ''", button+" copied nothing")
	return value[string](b, "window.copied")
}

// shell runs a line in a shell that has this wxgate, and these variables.
func shell(t *testing.T, line string, vars ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testproc.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = slices.Concat(vars, []string{"PATH=" + filepath.Dir(testproc.Binary) + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + t.TempDir()})
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}
