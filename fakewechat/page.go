package fakewechat

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"strings"

	"wxgate/fakewechat/sender"
)

//go:embed page.html authorize.html
var pageFiles embed.FS

//go:embed style.css
var styleCSS []byte

var pages = template.Must(template.ParseFS(pageFiles, "*.html"))

// logPath is where all that the platform saw is listed, for reading and for scripts.
const logPath = "/fake/log"

const maxForm = 64 << 10 // bytes of the page's form

// render writes one of the templates of page.html and authorize.html.
func render(w http.ResponseWriter, status int, name string, data any) {
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

func (p *Platform) servePage(w http.ResponseWriter, r *http.Request) {
	data := struct {
		locale
		Gateway, AppID, Failed, Usage string
		Kinds                         []string
		Seen                          []seen
	}{localeOf(r), "", p.of("").account.AppID, sender.ServiceFailed, sender.Kinds(), strings.Split(sender.KindNames(), ", "), p.newest()}
	if s := p.of("").sender; s != nil {
		data.Gateway = s.URL
	}
	render(w, http.StatusOK, "page", data)
}

// serveSend sends what a form says, up to three times as WeChat does, and goes on to the chat page, or back to the log.
func (p *Platform) serveSend(w http.ResponseWriter, r *http.Request) {
	if p.of("").sender == nil {
		http.Error(w, errNoGateway.Error(), http.StatusNotFound)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read: it is broken or longer than 64 KiB", http.StatusBadRequest)
		return
	}
	kind := r.PostForm.Get("kind")
	from := cmp.Or(r.PostForm.Get("from"), sender.User) // the form of the log has no such field: scripts send as several users
	longAnswer(w)
	if _, err := p.sendShown(r.Context(), spoken{from: from, kind: kind, args: sender.SplitArguments(kind, r.PostForm.Get("arg"))}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	back := "/"
	if asked := r.PostForm.Get("back"); asked == logPath || asked == logPath+"?lang=zh" || asked == logPath+"?lang=en" {
		back = asked
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}
