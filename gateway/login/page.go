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

// pageError is a failure that is shown to the user.
type pageError struct {
	status           int
	reason           failureReason
	english, chinese string
	retry            string // the address to try again; "": none
}

func (e *pageError) Error() string { return string(e.reason) }

func badRequestPage(reason failureReason, english, chinese string) *pageError {
	return &pageError{http.StatusBadRequest, reason, english, chinese, ""}
}

func badReturnPage() *pageError { return failedPage(reasonReturnTo, "") }

// forbiddenPage is the page of a wrong state. reason is for the log alone.
func forbiddenPage(reason failureReason, retry string) *pageError {
	return &pageError{wrongState.status, reason, wrongState.english, wrongState.chinese, retry}
}

func (e *pageError) writeTo(ctx context.Context, w http.ResponseWriter) {
	service.LineOf(ctx).Add(slog.String("reason", string(e.reason)))
	_ = writePage(w, e.status, pageContent{Title: e.chinese + " " + e.english, Link: e.retry, Action: "重试 · Try again"})
}

// pageContent is the content of a page, in two languages.
type pageContent struct {
	Title        string
	Image        string // its address; "": none
	Rows         []pageRow
	Link, Action string // the page's one link and its text; Link "": none
	Post         bool   // the link is a button of a POST form
}

// pageRow is a row of a page's table.
type pageRow struct{ Name, Value string }

// style is the CSS of all pages.
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

// contentPolicy is the beginning of the pages' Content-Security-Policy. It allows their own style, by its hash, and nothing else. The
// allowed targets of forms follow.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; frame-ancestors 'none'; form-action "
}()

// imageOrigin matches scheme and host of an image's address, if they are safe to put into a policy.
var imageOrigin = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/|$)`)

// writePage writes a page with its headers.
func writePage(w http.ResponseWriter, code int, p pageContent) error {
	policy := contentPolicy + "'none'"
	if p.Post {
		// Browsers apply this to the redirect after a form too, and return_to may be at another host.
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
