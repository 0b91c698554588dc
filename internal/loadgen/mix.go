package loadgen

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// kinds are the possible kinds of a mix, with the arguments for sender.Compose that put a mark into the message.
var kinds = map[string]func(mark string) []string{
	"text":       func(mark string) []string { return []string{mark} },
	"image":      func(mark string) []string { return []string{"http://mmbiz.qpic.cn/mmbiz_jpg/" + mark + "/0"} },
	"voice":      func(mark string) []string { return []string{mark} },
	"video":      func(string) []string { return nil },
	"shortvideo": func(string) []string { return nil },
	"location":   func(mark string) []string { return []string{"23.134521", "113.358803", mark} },
	"link":       func(mark string) []string { return []string{"https://example.com/" + mark, mark} },
	"event": func(mark string) []string { // each has its own key, as events have no MsgId
		return []string{events[rand.IntN(len(events))], mark}
	},
}

// events are the most frequent events of users.
var events = []string{"CLICK", "SCAN", "subscribe"}

// kindShare is the share of a kind in a mix. credit is how much the kind lags its share.
type kindShare struct {
	kind           string
	weight, credit float64
}

// kindMix deals out kinds, so that every part of the sequence has the shares as closely as possible. It is not safe for
// concurrent use.
type kindMix []kindShare

// parseMix reads "text=80,event=20", or returns all errors in it. Shares need not add up to 100.
func parseMix(s string) (kindMix, error) {
	var m kindMix
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("--mix: "+format, args...)) }
	for part := range strings.SplitSeq(s, ",") {
		kind, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		kind = strings.TrimSpace(kind)
		weight, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		switch {
		case kinds[kind] == nil:
			wrong("unknown kind %q; kinds: %s", kind, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		case err != nil || !(weight > 0 && weight <= 1e6):
			wrong("%s=%s; expected a share such as %[1]s=80", kind, number)
		case slices.ContainsFunc(m, func(s kindShare) bool { return s.kind == kind }):
			wrong("%s occurs twice", kind)
		default:
			m = append(m, kindShare{kind: kind, weight: weight})
		}
	}
	return m, errors.Join(errs...)
}

// nextKind returns the kind with the most credit.
func (m kindMix) nextKind() string {
	most, total := 0, 0.0
	for i := range m {
		m[i].credit += m[i].weight
		total += m[i].weight
		if m[i].credit > m[most].credit {
			most = i
		}
	}
	m[most].credit -= total
	return m[most].kind
}

// String returns the mix in the form of parseMix.
func (m kindMix) String() string {
	parts := make([]string, len(m))
	for i, s := range m {
		parts[i] = fmt.Sprintf("%s=%v", s.kind, s.weight)
	}
	return strings.Join(parts, ",")
}
