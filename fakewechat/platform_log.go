package fakewechat

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

//go:embed page/log.html page/authorize.html
var pageFiles embed.FS

//go:embed page/log.css
var styleCSS []byte

var pages = template.Must(template.ParseFS(pageFiles, "page/*.html"))

// logPath is the path of the page that lists all calls and callbacks, for people and for scripts.
const logPath = "/fake/log"

const maxForm = 64 << 10 // bytes of the page's form

// renderPage writes one of the templates of log.html and authorize.html.
func renderPage(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "the page's template failed", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// serveStyle serves a style sheet.
func serveStyle(css []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(css)
	}
}

func (p *Platform) serveLog(w http.ResponseWriter, r *http.Request) {
	data := struct {
		locale
		Gateway, AppID, Failed, Usage string
		Kinds                         []string
		Seen                          []logLine
	}{localeOf(r), "", p.accountByAppID("").settings.AppID, sender.ServiceFailed, sender.Kinds(), strings.Split(sender.KindNames(), ", "), p.newestLogLines()}
	if s := p.accountByAppID("").sender; s != nil {
		data.Gateway = s.URL
	}
	renderPage(w, http.StatusOK, "page", data)
}

// serveSend sends the callback of a form, up to three times as WeChat does, and redirects to the chat page, or back to the log
// page.
func (p *Platform) serveSend(w http.ResponseWriter, r *http.Request) {
	if p.accountByAppID("").sender == nil {
		http.Error(w, errNoGateway.Error(), http.StatusNotFound)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read: it is broken or longer than 64 KiB", http.StatusBadRequest)
		return
	}
	kind := r.PostForm.Get("kind")
	from := cmp.Or(r.PostForm.Get("from"), sender.User) // for scripts that send as several users; the log page's form has no such field
	longAnswer(w)
	if _, err := p.sendShown(r.Context(), userInput{from: from, kind: kind, args: sender.SplitArguments(kind, r.PostForm.Get("arg"))}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	back := "/"
	if asked := r.PostForm.Get("back"); asked == logPath || asked == logPath+"?lang=zh" || asked == logPath+"?lang=en" {
		back = asked
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

const maxLogLines = 200

// logLine is a line of the log page: an API call, or one attempt to send a callback.
type logLine struct {
	At                time.Time
	What, Outcome     bilingualText
	Fields            []sender.Field
	Refused, Warnings []bilingualText
}

// addLogLine adds a line to the log page. It must hold no secret, code or token.
func (p *Platform) addLogLine(s logLine) {
	const most = sender.MaxText + 200 // bytes of a value: any text that WeChat shows fits
	s.At = p.now()
	for i := range s.Fields {
		s.Fields[i].Value = sender.Clip(s.Fields[i].Value, most)
	}
	for l := range s.What {
		s.What[l], s.Outcome[l] = sender.Clip(s.What[l], most), sender.Clip(s.Outcome[l], most)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.logLines) == maxLogLines {
		p.logLines = slices.Delete(p.logLines, 0, 1)
	}
	p.logLines = append(p.logLines, s)
}

// newestLogLines returns the log page's lines, the newest first.
func (p *Platform) newestLogLines() []logLine {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := slices.Clone(p.logLines)
	slices.Reverse(s)
	return s
}
