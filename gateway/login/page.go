package login

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"

	"wxgate/internal/service"
)

// pageError is a failure that a person in a browser reads.
type pageError struct {
	status           int
	reason           string // for the log, from a fixed set
	english, chinese string
	retry            string // where to try again; "": nowhere
}

func (e *pageError) Error() string { return e.reason }

func badPage(reason, english, chinese string) *pageError {
	return &pageError{http.StatusBadRequest, reason, english, chinese, ""}
}

func returnPage() *pageError { return failedPage("return_to", "") }

// forbiddenPage says one thing for every state that is wrong.
func forbiddenPage(reason, retry string) *pageError {
	return &pageError{wrongState.status, reason, wrongState.english, wrongState.chinese, retry}
}

func (e *pageError) write(ctx context.Context, w http.ResponseWriter) {
	service.LineOf(ctx).Add(slog.String("reason", e.reason))
	_ = writePage(w, e.status, page{Title: e.chinese + " " + e.english, Link: e.retry, Action: "重试 · Try again"})
}

// page is what a person in a browser reads, in two languages.
type page struct {
	Title        string
	Image        string // an address; "": none
	Rows         []row
	Link, Action string // the one thing to do; Link "": nothing
	Post         bool   // Action is a button that changes something
}

// row is a line of a page's table.
type row struct{ Name, Value string }

// style is all the style that pages have.
const style = `:root{color-scheme:light dark;font:100%/1.5 system-ui,sans-serif}` +
	`body{margin:2rem auto;max-width:32rem;padding:0 1rem;overflow-wrap:anywhere}` +
	`img{border-radius:.5rem;display:block}dl{display:grid;gap:.25rem 1rem;grid-template-columns:auto 1fr}dt{opacity:.7}dd{margin:0}`

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style>` + style + `</style>
{{with .Image}}<img src="{{.}}" alt="" width="66" height="66" referrerpolicy="no-referrer">
{{end}}<p>{{.Title}}</p>
{{with .Rows}}<dl>{{range .}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>{{end}}</dl>
{{end}}{{if .Post}}<form method="post" action="{{.Link}}"><button>{{.Action}}</button></form>
{{else if .Link}}<p><a href="{{.Link}}">{{.Action}}</a></p>
{{end}}</html>
`))

// contentPolicy is what pages may load: their own style, which is known by its hash, and nothing else. What forms may lead to
// stands behind it.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; frame-ancestors 'none'; form-action "
}()

// imageOrigin finds scheme and host of an image's address. It takes only what can stand in a policy as it is.
var imageOrigin = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/|$)`)

func writePage(w http.ResponseWriter, code int, p page) error {
	policy := contentPolicy + "'none'"
	if p.Post {
		// Browsers hold the redirect behind a form to this too, and a return_to may be at another host.
		policy = contentPolicy + "'self' https: http:"
	}
	if origin := imageOrigin.FindString(p.Image); origin != "" {
		policy += "; img-src " + origin
	} else {
		p.Image = ""
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(code)
	return pageTemplate.Execute(w, p)
}
