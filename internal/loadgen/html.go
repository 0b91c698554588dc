package loadgen

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed report.html
var reportHTML string

// WriteHTML writes the report as a page that needs nothing from elsewhere, and no script.
func (r *Report) WriteHTML(w io.Writer) error {
	page, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return err
	}
	return page.Execute(w, struct {
		*Report
		Rows, Latencies []row
		Plots           []*plot
	}{r, r.rows(), r.Latency.rows(), []*plot{r.percentilePlot(), r.timePlot()}})
}
