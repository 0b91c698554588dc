package fakewechat

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// form is one line of usage: a kind of message, or an event.
type form struct {
	name, args string
	min, max   int // how many arguments
	write      func(x *xmlWriter, args []string) error
}

func (f *form) usage(prefix string) string { return strings.TrimRight(prefix+f.name+" "+f.args, " ") }

// messages are the kinds but event, as WeChat lays them out.
var messages = []form{
	{"text", "CONTENT", 1, 1, func(x *xmlWriter, args []string) error {
		x.text("Content", args[0])
		x.msgID()
		return nil
	}},
	{"image", "[PIC_URL]", 0, 1, func(x *xmlWriter, args []string) error {
		x.text("PicUrl", arg(args, 0, "http://mmbiz.qpic.cn/mmbiz_jpg/fake/0"))
		x.text("MediaId", "fakeImageMediaId_01")
		x.msgID()
		return nil
	}},
	{"voice", "[RECOGNITION]", 0, 1, func(x *xmlWriter, args []string) error {
		x.text("MediaId", "fakeVoiceMediaId_01")
		x.text("Format", "amr")
		if len(args) > 0 { // as before 2023, when WeChat still recognised speech
			x.text("Recognition", args[0])
			x.msgID()
			return nil
		}
		x.msgID()
		x.text("MediaId16K", "fakeVoiceMediaId16K_01")
		return nil
	}},
	{"video", "", 0, 0, writeVideo},
	{"shortvideo", "", 0, 0, writeVideo},
	{"location", "X Y [LABEL]", 2, 3, func(x *xmlWriter, args []string) error {
		if err := coordinates(args); err != nil {
			return err
		}
		x.number("Location_X", args[0])
		x.number("Location_Y", args[1])
		x.number("Scale", "16")
		x.text("Label", arg(args, 2, ""))
		x.msgID()
		return nil
	}},
	{"link", "[URL [TITLE [DESCRIPTION]]]", 0, 3, func(x *xmlWriter, args []string) error {
		x.text("Title", arg(args, 1, "示例标题"))
		x.text("Description", arg(args, 2, "示例描述"))
		x.text("Url", arg(args, 0, "https://example.com/a?b=1&c=2"))
		x.msgID()
		return nil
	}},
}

// events are those whose fields are known here; their names count in any case.
var events = []form{
	{"subscribe", "[KEY]", 0, 1, func(x *xmlWriter, args []string) error {
		if len(args) == 0 {
			x.text("EventKey", "")
			return nil
		}
		x.text("EventKey", "qrscene_"+args[0])
		x.text("Ticket", fakeTicket)
		return nil
	}},
	{"unsubscribe", "", 0, 0, func(x *xmlWriter, _ []string) error {
		x.text("EventKey", "")
		return nil
	}},
	{"SCAN", "KEY", 1, 1, func(x *xmlWriter, args []string) error {
		x.text("EventKey", args[0])
		x.text("Ticket", fakeTicket)
		return nil
	}},
	{"LOCATION", "[LAT LON]", 0, 2, func(x *xmlWriter, args []string) error {
		if len(args) == 0 {
			args = []string{"31.230416", "121.473701"}
		}
		if err := coordinates(args); err != nil {
			return err
		}
		x.number("Latitude", args[0])
		x.number("Longitude", args[1])
		x.number("Precision", "65.000000")
		return nil
	}},
	{"CLICK", "KEY", 1, 1, writeKey},
	{"VIEW", "URL", 1, 1, func(x *xmlWriter, args []string) error {
		x.text("EventKey", args[0])
		x.number("MenuId", "430000001")
		return nil
	}},
}

const fakeTicket = "gQFakeTicket01"

// Compose makes a callback's plain XML as WeChat writes it: who it is for (the account's original id), who wrote it
// (an openid), its CreateTime, its kind and the arguments that Kinds shows. Control characters in them are passed on,
// as WeChat does. The error shows how the kind is used.
func Compose(to, from string, now time.Time, kind string, args ...string) ([]byte, error) {
	kind = strings.ToLower(kind)
	f, prefix := find(messages, kind), ""
	x := &xmlWriter{}
	x.raw("<xml>")
	x.text("ToUserName", to)
	x.text("FromUserName", from)
	x.number("CreateTime", strconv.FormatInt(now.Unix(), 10))
	x.text("MsgType", kind)
	switch {
	case f != nil:
	case kind != "event":
		return nil, fmt.Errorf("unknown kind %q; kinds: %s", clip(kind, 40), kindNames())
	case len(args) == 0 || args[0] == "":
		return nil, fmt.Errorf("event: the name is missing; usage: event NAME [KEY]; kinds: %s", kindNames())
	default:
		prefix = "event "
		if f = find(events, args[0]); f == nil {
			f = &form{args[0], "[KEY]", 0, 1, writeKey}
		}
		x.text("Event", f.name)
		args = args[1:]
	}
	usage := "usage: " + clip(f.usage(prefix), 80) + "; kinds: " + kindNames()
	if len(args) < f.min || len(args) > f.max {
		hint := ""
		if len(args) > f.max && f.max > 0 { // a shell splits what is not quoted
			hint = "; put an argument that has blanks in quotes"
		}
		return nil, fmt.Errorf("%s: %d arguments do not fit%s; %s", clip(prefix+f.name, 40), len(args), hint, usage)
	}
	if err := f.write(x, args); err != nil {
		return nil, fmt.Errorf("%s: %w; %s", prefix+f.name, err, usage)
	}
	x.raw("</xml>")
	return x.b, nil
}

// Kinds returns the usage of Compose's kinds, a line each.
func Kinds() string {
	var b strings.Builder
	for _, f := range messages {
		b.WriteString(f.usage("") + "\n")
	}
	for _, f := range events {
		b.WriteString(f.usage("event ") + "\n")
	}
	b.WriteString("event NAME [KEY]\n")
	return b.String()
}

func kindNames() string {
	names := make([]string, 0, len(messages)+1)
	for _, f := range messages {
		names = append(names, f.name)
	}
	return strings.Join(append(names, "event"), ", ")
}

// find returns the form of that name, in any case; nil where there is none.
func find(forms []form, name string) *form {
	i := slices.IndexFunc(forms, func(f form) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return nil
	}
	return &forms[i]
}

func arg(args []string, i int, otherwise string) string {
	if i < len(args) {
		return args[i]
	}
	return otherwise
}

func writeVideo(x *xmlWriter, _ []string) error {
	x.text("MediaId", "fakeVideoMediaId_01")
	x.text("ThumbMediaId", "fakeThumbMediaId_01")
	x.msgID()
	return nil
}

func writeKey(x *xmlWriter, args []string) error {
	x.text("EventKey", arg(args, 0, ""))
	return nil
}

// coordinates checks a latitude and a longitude: they stand in the XML as they are.
func coordinates(args []string) error {
	if len(args) < 2 {
		return errors.New("a latitude needs its longitude")
	}
	for i, what := range []struct {
		name  string
		limit float64
	}{{"latitude", 90}, {"longitude", 180}} {
		f, err := strconv.ParseFloat(args[i], 64)
		if err != nil || strings.Trim(args[i], "-.0123456789") != "" || f < -what.limit || f > what.limit {
			return fmt.Errorf("the %s is no decimal number from -%v to %v", what.name, what.limit, what.limit)
		}
	}
	return nil
}

// xmlWriter writes elements in the layout of WeChat's callbacks: one a line, strings in CDATA.
type xmlWriter struct{ b []byte }

func (x *xmlWriter) raw(s string) { x.b = append(x.b, s...) }

func (x *xmlWriter) text(name, s string) {
	x.number(name, "<![CDATA["+strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>")+"]]>")
}

func (x *xmlWriter) number(name, s string) { x.raw("<" + name + ">" + s + "</" + name + ">\n") }

func (x *xmlWriter) msgID() { x.number("MsgId", strconv.FormatInt(newMsgID(), 10)) }

// newMsgID makes a MsgId. Like WeChat's it does not fit into a float64.
func newMsgID() int64 { return 10_000_000_000_000_000 + rand.Int64N(9e18) }
