package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what came of a run. Latencies are milliseconds until the first answer to WeChat, be it success.
type report struct {
	Seed        uint64  `json:"seed"`
	Seconds     float64 `json:"seconds"` // of load
	Disasters   int     `json:"disasters"`
	Sent        int     `json:"sent"`    // messages, of users
	Passive     int     `json:"passive"` // answered in HTTP
	Pushed      int     `json:"pushed"`  // answered by a customer-service message
	Busy        int     `json:"busy"`    // answered by the busy text
	Large       int     `json:"large"`   // messages whose answer is too large
	Long        int     `json:"long"`    // messages for which a bot takes nearly all of its minute
	Held        int     `json:"held"`    // attempts of WeChat's left without an answer, which a later one got
	Duplicates  int     `json:"duplicates"`
	Reconnects  int     `json:"reconnects"`
	Exceptions  int     `json:"exceptions"`   // UNCERTAIN
	Unknown     int     `json:"unknown"`      // of these, those whose user has no answer
	Lost        int     `json:"lost"`         // no answer, and no exception
	Late        int     `json:"late"`         // users who saw WeChat's failure line
	Twice       int     `json:"twice"`        // messages answered twice
	TwiceDouble int     `json:"twice_double"` // of these, those that WeChat sent twice
	Wrong       int     `json:"wrong"`        // messages with an answer that is another's
	Strays      int     `json:"strays"`       // customer-service messages that answer nothing
	Ghosts      int     `json:"ghosts"`       // deliveries of messages that nobody sent
	AskedAgain  int     `json:"asked_again"`
	P50         int64   `json:"p50_ms"`
	P99         int64   `json:"p99_ms"`
	Max         int64   `json:"max_ms"`
	Behind      int64   `json:"behind_ms"` // the most that the load was late itself: a busy machine
	Processes   []bill  `json:"processes"`

	bad       []*message // lost, late, twice or wrong
	uncertain []delivery
	ghosts    []delivery
}

// judge makes a report of messages and the deliveries that brought nothing.
func judge(messages []*message, unsent map[string]delivery) *report {
	r := &report{Sent: len(messages)}
	known := map[string]bool{}
	for _, m := range messages {
		known[m.id] = true
	}
	for id, d := range unsent {
		if !known[id] {
			r.Ghosts++
			r.ghosts = append(r.ghosts, d)
			continue
		}
		if d.State == stateUncertain {
			r.Exceptions++
			r.uncertain = append(r.uncertain, d)
		}
	}
	var latencies []time.Duration
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	for _, m := range messages {
		f := m.fate()
		excepted := unsent[m.id].State == stateUncertain
		count(&r.Passive, f.passive)
		count(&r.Pushed, f.pushed)
		count(&r.Busy, f.busy)
		count(&r.Large, m.work.kilobytes > 0)
		count(&r.Long, m.work.seconds == longTime)
		count(&r.Unknown, f.lost && excepted)
		count(&r.Lost, f.lost && !excepted)
		count(&r.Late, f.late)
		count(&r.Twice, f.twice)
		count(&r.Wrong, f.wrong)
		m.mu.Lock()
		count(&r.TwiceDouble, f.twice && m.double)
		r.Held += m.held
		if m.first > 0 {
			latencies = append(latencies, m.first)
		}
		m.mu.Unlock()
		if f.lost && !excepted || f.late || f.twice || f.wrong {
			r.bad = append(r.bad, m)
		}
	}
	if n := len(latencies); n > 0 {
		slices.Sort(latencies)
		r.P50, r.P99, r.Max = latencies[n/2].Milliseconds(), latencies[n*99/100].Milliseconds(), latencies[n-1].Milliseconds()
	}
	return r
}

// faults returns what must not be, in words.
func (r *report) faults() (faults []string) {
	for _, never := range []struct {
		what string
		n    int
	}{
		{"messages lost", r.Lost},
		{"messages late: the user saw WeChat's failure line", r.Late},
		{"messages answered twice", r.Twice},
		{"messages with a wrong answer", r.Wrong},
		{"customer-service messages that answer nothing", r.Strays},
		{"deliveries of messages that nobody sent", r.Ghosts},
	} {
		if never.n > 0 {
			faults = append(faults, fmt.Sprintf("%s: %d, want 0", never.what, never.n))
		}
	}
	if r.Pushed == 0 {
		faults = append(faults, "no answer came by a customer-service message, though a bot was slow")
	}
	// An exception is a call that a disaster hit: a few, not the rule.
	if most := 3 * r.Disasters; r.Exceptions > most {
		faults = append(faults, fmt.Sprintf("deliveries in state UNCERTAIN: %d, want at most %d", r.Exceptions, most))
	}
	for _, p := range r.Processes {
		if p.After.Goroutines > p.calm() {
			faults = append(faults, fmt.Sprintf("%s: %d goroutines at rest, %d before the load: want at most %d", p.Name, p.After.Goroutines, p.Before.Goroutines, p.calm()))
		}
	}
	return faults
}

// String is the report as tables and a line of JSON.
func (r *report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range [][2]any{
		{"seed", r.Seed}, {"seconds", fmt.Sprintf("%.1f", r.Seconds)}, {"disasters", r.Disasters},
		{"sent", r.Sent}, {"passive", r.Passive}, {"pushed", r.Pushed}, {"busy", r.Busy}, {"answers too large", r.Large}, {"bots that take 55 s", r.Long},
		{"held attempts", r.Held}, {"duplicates", r.Duplicates}, {"reconnects", r.Reconnects},
		{"exceptions", fmt.Sprintf("%d, of them unanswered %d", r.Exceptions, r.Unknown)},
		{"LOST", r.Lost}, {"LATE", r.Late}, {"TWICE", fmt.Sprintf("%d, of them duplicates %d", r.Twice, r.TwiceDouble)}, {"WRONG", r.Wrong}, {"STRAYS", r.Strays}, {"GHOSTS", r.Ghosts},
		{"bot asked again", r.AskedAgain},
		{"first answer", fmt.Sprintf("p50 %d ms, p99 %d ms, max %d ms", r.P50, r.P99, r.Max)},
		{"load behind by", fmt.Sprintf("%d ms", r.Behind)},
	} {
		fmt.Fprintf(w, "%v\t%v\n", line[0], line[1])
	}
	fmt.Fprintln(w, "\nprocess\tlives\tgoroutines\tRSS MiB")
	for _, p := range r.Processes {
		fmt.Fprintf(w, "%s\t%d\t%d -> %d\t%d -> %d\n", p.Name, p.Lives, p.Before.Goroutines, p.After.Goroutines, p.Before.RSSMiB, p.After.RSSMiB)
	}
	_ = w.Flush()
	for _, d := range r.uncertain {
		fmt.Fprintf(&b, "exception: MsgId %s, delivery %s: %s\n", d.MsgID, d.ID, d.Reason)
	}
	for _, d := range r.ghosts {
		fmt.Fprintf(&b, "ghost: MsgId %q, delivery %s, %s: %s\n", d.MsgID, d.ID, d.State, d.Reason)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return "\n" + b.String() + string(line)
}
