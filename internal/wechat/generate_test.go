package wechat

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	wechatv1 "wxgate/proto/wechat/v1"
)

// A generator makes documents of all kinds, with what may go wrong in them.
type generator struct {
	*rand.Rand
	kinds []*wechatv1.Element // a full document of each
	names []string            // of all their elements
	seen  map[string]int      // how many documents have what
}

func newGenerator(t testing.TB, seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), seen: map[string]int{}}
	all := fullMessages(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d, err := Parse(EncodeMessage(all[name]))
		if err != nil {
			t.Fatal(err)
		}
		g.kinds = append(g.kinds, d.genericElement(0))
		for i := range d.nodes[1:] {
			g.names = append(g.names, d.nodeName(i+1))
		}
	}
	return g
}

// often tells true n times in 100.
func (g *generator) often(n int) bool { return g.IntN(100) < n }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// document returns a document of a random kind.
func (g *generator) document() []byte {
	root := proto.CloneOf(pick(g, g.kinds...))
	if !g.often(10) {
		g.spoil(root, true)
	}
	body := g.layout(nil, root)
	m, err := Decode(body)
	if err == nil {
		g.count(m)
	}
	return body
}

// count notes what m has.
func (g *generator) count(m *wechatv1.Message) {
	kind := "typed"
	if m.GetUnknown() != nil || m.GetEvent().GetUnknown() != nil {
		kind = "unknown"
	}
	g.seen[kind]++
	if len(m.GetExtra()) > 0 {
		g.seen["extra"]++
	}
	if countExtra(m.ProtoReflect()) > len(m.GetExtra()) {
		g.seen["nested extra"]++
	}
}

// spoil changes the children of e at random, and what is in them.
func (g *generator) spoil(e *wechatv1.Element, root bool) {
	var list []*wechatv1.Element
	for _, c := range e.GetChildren() {
		name := c.GetName()
		kind := root && (name == "MsgType" || name == "Event") // without them hardly a document has a type
		if kind && !g.often(10) {
			if g.often(20) {
				c.Text = strings.ToUpper(c.GetText())
			}
			list = append(list, c)
			continue
		}
		if g.often(10) {
			continue
		}
		if second := secondSpelling[name]; second != "" && g.often(40) {
			c.Name = second
		}
		for g.often(10) {
			list = append(list, g.spoiled(proto.CloneOf(c)))
		}
		list = append(list, g.spoiled(c))
	}
	for g.often(20) {
		list = append(list, g.anything(3))
	}
	if g.often(40) {
		g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	e.Children = list
}

// secondSpelling is spellings the other way round.
var secondSpelling = map[string]string{"Msg": "msg", "AuthorizeAppId": "AppId", "Source": "source"}

// spoiled changes e itself at random.
func (g *generator) spoiled(e *wechatv1.Element) *wechatv1.Element {
	switch n := g.IntN(100); {
	case n < 3: // children where a text is expected, or the other way round
		return elem(e.GetName(), g.text(), g.anything(1))
	case n < 6:
		return elem(e.GetName(), g.text())
	case len(e.GetChildren()) > 0:
		g.spoil(e, false)
		if g.often(3) {
			e.Text = g.text()
		}
	case g.often(40):
		e.Text = g.text()
	}
	return e
}

// anything returns an element of any name, that of a known one too, with up to that many levels in it.
func (g *generator) anything(levels int) *wechatv1.Element {
	e := elem(pick(g, pick(g, g.names...), "New", "a", "xml", "_-.9", "é"), g.text())
	for levels > 0 && g.often(30) {
		e.Children = append(e.Children, g.anything(levels-1))
	}
	return e
}

// text returns a text that is hostile, empty, or a number of some kind.
func (g *generator) text() string {
	return pick(g,
		"", " ", "\n\t", "0", "00", "-0", "1", "-1", "+1", "7", " 42\n", "1.50", "1e3", "x", "true", " false ", "TRUE",
		strconv.Itoa(g.IntN(1<<31)), strconv.FormatUint(g.Uint64(), 10), "-9223372036854775808", "2147483648",
		"]]>", "a]]>b", "]]]]>>", "<b>", "</xml>", "&", "&amp;", "<![CDATA[", "<!--", "a\x00\x1bb", "\r\n", " 世界 😀 ",
		"\ufeff", "\ufffd", "\u2028", "qrscene_7", "text", "event", "subscribe", strings.Repeat("x", 3000),
	)
}

// layout appends e as XML, laid out at random: what a text says does not change.
func (g *generator) layout(b []byte, e *wechatv1.Element) []byte {
	b = openTag(b, e.GetName())
	if text := e.GetText(); text != "" {
		if strings.ContainsAny(text, "<&>\x00") || g.often(50) {
			b = rawCDATA(b, text)
		} else {
			b = append(b, text...)
		}
	}
	for _, c := range e.GetChildren() {
		if g.often(20) {
			b = append(b, pick(g, "\n", " ", "<!-- c -->", "<?p?>")...)
		}
		b = g.layout(b, c)
	}
	return closeTag(b, e.GetName())
}
