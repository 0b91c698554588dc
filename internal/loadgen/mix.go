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

// kinds are what a mix can hold: what fakewechat.Compose is given for a message that bears a mark.
var kinds = map[string]func(mark string) []string{
	"text":       func(mark string) []string { return []string{mark} },
	"image":      func(mark string) []string { return []string{"http://mmbiz.qpic.cn/mmbiz_jpg/" + mark + "/0"} },
	"voice":      func(mark string) []string { return []string{mark} },
	"video":      func(string) []string { return nil },
	"shortvideo": func(string) []string { return nil },
	"location":   func(mark string) []string { return []string{"23.134521", "113.358803", mark} },
	"link":       func(mark string) []string { return []string{"https://example.com/" + mark, mark} },
	"event": func(mark string) []string { // each has a key of its own, as events have no MsgId
		return []string{events[rand.IntN(len(events))], mark}
	},
}

// events are what users do most.
var events = []string{"CLICK", "SCAN", "subscribe"}

// share is how much of a mix is of one kind; credit is what the kind is owed.
type share struct {
	kind           string
	weight, credit float64
}

// mix deals out kinds, so that any stretch of them has the shares as well as it can. It is not for concurrent use.
type mix []share

// parseMix reads "text=80,event=20", or returns everything that is wrong with it. Shares need not add up to 100.
func parseMix(s string) (mix, error) {
	var m mix
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
		case slices.ContainsFunc(m, func(s share) bool { return s.kind == kind }):
			wrong("%s is there twice", kind)
		default:
			m = append(m, share{kind: kind, weight: weight})
		}
	}
	return m, errors.Join(errs...)
}

// next returns the kind that is owed most.
func (m mix) next() string {
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

// String is the mix as parseMix reads it.
func (m mix) String() string {
	parts := make([]string, len(m))
	for i, s := range m {
		parts[i] = fmt.Sprintf("%s=%v", s.kind, s.weight)
	}
	return strings.Join(parts, ",")
}
