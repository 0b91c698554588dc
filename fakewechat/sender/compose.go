package sender

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Compose makes a callback's plain XML as WeChat writes it: to an account's original id, from an openid, with now as
// CreateTime. Kinds lists the kinds and their arguments. Control characters are passed on, as WeChat does. The error shows
// how the kind is used.
func Compose(to, from string, now time.Time, kind string, args ...string) ([]byte, error) {
	kind = strings.ToLower(kind)
	f, prefix := findKind(messageKinds, kind), ""
	x := &xmlWriter{}
	x.writeRaw("<xml>")
	x.writeText("ToUserName", to)
	x.writeText("FromUserName", from)
	x.writeNumber("CreateTime", strconv.FormatInt(now.Unix(), 10))
	x.writeText("MsgType", kind)
	switch {
	case f != nil:
	case kind != "event":
		return nil, fmt.Errorf("unknown kind %q; kinds: %s", Clip(kind, 40), KindNames())
	case len(args) == 0 || args[0] == "":
		return nil, fmt.Errorf("event: the name is missing; usage: event NAME [KEY]; kinds: %s", KindNames())
	default:
		prefix = "event "
		if f = findKind(eventKinds, args[0]); f == nil {
			f = &kindUsage{args[0], "[KEY]", 0, 1, writeKey}
		}
		x.writeText("Event", f.name)
		args = args[1:]
	}
	usage := "usage: " + Clip(f.usageLine(prefix), 80) + "; kinds: " + KindNames()
	if len(args) < f.min || len(args) > f.max {
		hint := ""
		if len(args) > f.max && f.max > 0 { // a shell splits arguments without quotes
			hint = "; put an argument that has blanks in quotes"
		}
		return nil, fmt.Errorf("%s: %d arguments do not fit%s; %s", Clip(prefix+f.name, 40), len(args), hint, usage)
	}
	if err := f.writeFields(x, args); err != nil {
		return nil, fmt.Errorf("%s: %w; %s", prefix+f.name, err, usage)
	}
	x.writeRaw("</xml>")
	return x.b, nil
}

// Kinds returns the usage of Compose's kinds, one line each.
func Kinds() string {
	var b strings.Builder
	for _, f := range messageKinds {
		b.WriteString(f.usageLine("") + "\n")
	}
	for _, f := range eventKinds {
		b.WriteString(f.usageLine("event ") + "\n")
	}
	b.WriteString("event NAME [KEY]\n")
	return b.String()
}

// KindNames returns the names of Compose's kinds, with commas between them.
func KindNames() string {
	names := make([]string, 0, len(messageKinds)+1)
	for _, f := range messageKinds {
		names = append(names, f.name)
	}
	return strings.Join(append(names, "event"), ", ")
}

// findKind returns the kind with that name, in any case, or nil.
func findKind(kinds []kindUsage, name string) *kindUsage {
	i := slices.IndexFunc(kinds, func(f kindUsage) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return nil
	}
	return &kinds[i]
}

// SplitArguments splits a text into the arguments of a kind. The last argument takes the rest of the text, blanks included.
func SplitArguments(kind, text string) []string {
	most := 3 // event: a name and two more
	if f := findKind(messageKinds, kind); f != nil {
		most = f.max
		if f.min == 1 && most == 1 {
			return []string{text}
		}
	}
	var args []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if len(args)+1 >= most {
			return append(args, text)
		}
		word, rest, _ := strings.Cut(text, " ")
		args, text = append(args, word), rest
	}
	return args
}
