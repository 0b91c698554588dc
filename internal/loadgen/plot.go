package loadgen

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The plots' size in units of the SVG, and the margins around the drawing.
const (
	plotWidth, plotHeight                    = 760.0, 320.0
	roomLeft, roomRight, roomTop, roomBottom = 64.0, 56.0, 14.0, 40.0
)

// reportPlot is the data of a plot for the page's template. All positions are in units of the SVG.
type reportPlot struct {
	Title, XLabel            string
	Width, Height            float64
	Left, Right, Top, Bottom float64 // of the drawing
	XTicks, YTicks           []axisTick
	Lines                    []plotLine
	Bars                     []plotBar // failures
	Spots                    []plotBar // areas with a tooltip
	Limit                    float64
	LimitShown               bool // the line of 5 s lies within the plot
}

type axisTick struct {
	At    float64
	Label string
}

// plotLine is a series, labelled at its end.
type plotLine struct {
	Class, Name, Points string
	EndX, EndY          float64
}

type plotBar struct {
	X, Y, Width, Height float64
	Title               string
}

// logScale is a logarithmic axis of latencies.
type logScale struct{ low, high float64 } // powers of ten

// newScale returns an axis for all values above 0.
func newScale(values ...float64) logScale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 1, 1
	}
	s := logScale{math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))}
	if s.high <= s.low {
		s.high = s.low + 1
	}
	return s
}

// yPosition returns the position of a latency.
func (s logScale) yPosition(ms float64) float64 {
	share := (math.Log10(max(ms, math.Pow(10, s.low))) - s.low) / (s.high - s.low)
	return plotHeight - roomBottom - share*(plotHeight-roomTop-roomBottom)
}

func (s logScale) axisTicks() []axisTick {
	var ticks []axisTick
	for power := s.low; power <= s.high; power++ {
		v := math.Pow(10, power)
		label := fmt.Sprintf("%v ms", v)
		if v >= 1000 {
			label = fmt.Sprintf("%v s", v/1000)
		}
		ticks = append(ticks, axisTick{s.yPosition(v), label})
	}
	return ticks
}

// newPlot returns a plot without lines, with latencies on a scale.
func newPlot(title, xLabel string, s logScale) *reportPlot {
	p := &reportPlot{
		Title: title, XLabel: xLabel, Width: plotWidth, Height: plotHeight,
		Left: roomLeft, Right: plotWidth - roomRight, Top: roomTop, Bottom: plotHeight - roomBottom, YTicks: s.axisTicks(),
	}
	limit := float64(patience / time.Millisecond)
	p.Limit, p.LimitShown = s.yPosition(limit), limit <= math.Pow(10, s.high)
	return p
}

// xPosition returns the position of a share of the axis, from 0 (left) to 1 (right).
func (p *reportPlot) xPosition(share float64) float64 { return p.Left + share*(p.Right-p.Left) }

// labelHeight keeps the labels of lines apart.
const labelHeight = 14

// addLine adds a line through points. Its label is placed below those of the previous lines.
func (p *reportPlot) addLine(class, name string, points [][2]float64) {
	if len(points) == 0 {
		return
	}
	var b strings.Builder
	for _, at := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", at[0], at[1])
	}
	end := points[len(points)-1]
	if n := len(p.Lines); n > 0 {
		end[1] = max(end[1], p.Lines[n-1].EndY+labelHeight)
	}
	p.Lines = append(p.Lines, plotLine{class, name, strings.TrimSpace(b.String()), end[0], end[1]})
}

// percentilePlot draws the latencies by percentile; each further 9 takes the same width.
func (r *Report) percentilePlot() *reportPlot {
	values := make([]float64, 0, len(r.Percentiles))
	for _, p := range r.Percentiles {
		values = append(values, p.MS)
	}
	s := newScale(values...)
	p := newPlot("Latency by percentile", "percent of the messages that are not slower", s)
	nines := 1.0 // on the axis
	for _, point := range r.Percentiles {
		if point.Percent < 100 {
			nines = max(nines, -math.Log10(1-point.Percent/100))
		}
	}
	for n, label := range []string{"0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"} {
		if float64(n) <= nines {
			p.XTicks = append(p.XTicks, axisTick{p.xPosition(float64(n) / nines), label})
		}
	}
	var points [][2]float64
	for i, point := range r.Percentiles {
		at := 1.0 // the last point is the slowest message
		if point.Percent < 100 {
			at = -math.Log10(1-point.Percent/100) / nines
		}
		x, y := p.xPosition(at), s.yPosition(point.MS)
		points = append(points, [2]float64{x, y})
		left := p.Left
		if i > 0 {
			left = points[i-1][0]
		}
		p.Spots = append(p.Spots, plotBar{left, p.Top, x - left, p.Bottom - p.Top, fmt.Sprintf("%.6g %%: %s", point.Percent, inMS(point.MS))})
	}
	p.addLine("p99", "", points)
	return p
}

// timePlot draws the latencies and the failures by the due times of messages.
func (r *Report) timePlot() *reportPlot {
	var values []float64
	for _, w := range r.Windows {
		values = append(values, w.P50, w.P99, w.Max)
	}
	s := newScale(values...)
	p := newPlot("Latency over time", "seconds from the beginning", s)
	seconds := 1.0
	if n := len(r.Windows); n > 0 {
		seconds = r.Windows[n-1].To
	}
	step := tickStep(seconds)
	for at := 0.0; at <= seconds; at += step {
		p.XTicks = append(p.XTicks, axisTick{p.xPosition(at / seconds), fmt.Sprintf("%.6g", at)})
	}
	var p50, p99, slowest [][2]float64
	for _, w := range r.Windows {
		x, width := p.xPosition(w.From/seconds), p.xPosition(w.To/seconds)-p.xPosition(w.From/seconds)
		p.Spots = append(p.Spots, plotBar{x, p.Top, width, p.Bottom - p.Top, fmt.Sprintf("%.6g s to %.6g s: %d messages, %d failed, p50 %s, p99 %s, max %s",
			w.From, w.To, w.Messages, w.Failed, inMS(w.P50), inMS(w.P99), inMS(w.Max))})
		if w.Failed > 0 {
			height := (p.Bottom - p.Top) * float64(w.Failed) / float64(w.Messages)
			p.Bars = append(p.Bars, plotBar{X: x, Y: p.Bottom - height, Width: width, Height: height})
		}
		if w.Max > 0 {
			middle := x + width/2
			p50 = append(p50, [2]float64{middle, s.yPosition(w.P50)})
			p99 = append(p99, [2]float64{middle, s.yPosition(w.P99)})
			slowest = append(slowest, [2]float64{middle, s.yPosition(w.Max)})
		}
	}
	p.addLine("max", "max", slowest)
	p.addLine("p99", "p99", p99)
	p.addLine("p50", "p50", p50)
	return p
}

// tickStep returns a round number that divides a length into at most 10 steps.
func tickStep(length float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(length/10)))
	for _, step := range []float64{1, 2, 5} {
		if length/(step*power) <= 10 {
			return step * power
		}
	}
	return 10 * power
}
