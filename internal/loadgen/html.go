package loadgen

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed report.html
var reportHTML string

// WriteHTML writes the report as a self-contained page without scripts.
func (r *Report) WriteHTML(w io.Writer) error {
	page, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return err
	}
	return page.Execute(w, struct {
		*Report
		Rows, Latencies []textRow
		Plots           []*reportPlot
	}{r, r.textRows(), r.Latency.textRows(), []*reportPlot{r.percentilePlot(), r.timePlot()}})
}
