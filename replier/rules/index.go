package rules

import (
	"math"
	"slices"

	ahocorasick "github.com/petar-dambovaliev/aho-corasick"
)

// places are the places of rules in the file, in order.
type places = []int32

// index finds the rules that may match a message, without trying all: each rule stands under what of its conditions is
// easiest to look up. One that has accounts stands in the index of each.
type index struct {
	general  shelf
	accounts map[string]*shelf
}

// shelf is the index of the rules of one account, or of those for all.
type shelf struct {
	rest   places // nothing to look them up by
	types  map[string]places
	events map[string]places
	keys   lookup
	texts  lookup // of the text as it is
	folded lookup // of the folded text
}

// lookup finds the alternatives that a text is.
type lookup struct {
	exact   map[string]places
	parts   []string         // prefixes and what is contained, each once
	partOf  map[string]int32 // the index of parts
	prefix  []places         // by the index of parts
	inside  []places         // likewise
	machine *ahocorasick.AhoCorasick
}

func newIndex(rules []Rule) index {
	x := index{accounts: map[string]*shelf{}}
	for i := range rules {
		m := &rules[i].match
		if len(m.accounts) == 0 {
			x.general.add(int32(i), m)
		}
		for _, name := range m.accounts {
			if x.accounts[name] == nil {
				x.accounts[name] = &shelf{}
			}
			x.accounts[name].add(int32(i), m)
		}
	}
	x.general.build()
	for _, s := range x.accounts {
		s.build()
	}
	return x
}

func (s *shelf) add(place int32, m *match) {
	switch {
	case m.text != nil && m.text.listed() && m.text.fold:
		s.folded.add(place, m.text)
	case m.text != nil && m.text.listed():
		s.texts.add(place, m.text)
	case m.key != nil:
		s.keys.add(place, m.key)
	case len(m.events) > 0:
		addAll(&s.events, place, m.events)
	case m.text != nil:
		addAll(&s.types, place, []string{"text"})
	case len(m.types) > 0:
		addAll(&s.types, place, m.types)
	default:
		s.rest = append(s.rest, place)
	}
}

func addAll(to *map[string]places, place int32, names []string) {
	if *to == nil {
		*to = map[string]places{}
	}
	for _, name := range names {
		(*to)[name] = append((*to)[name], place)
	}
}

// listed tells whether the alternatives can be looked up: a regular expression has to be tried.
func (a *alternatives) listed() bool { return len(a.patterns) == 0 }

func (l *lookup) add(place int32, a *alternatives) {
	addAll(&l.exact, place, a.exact)
	for _, p := range a.prefixes {
		i := l.part(p)
		l.prefix[i] = append(l.prefix[i], place)
	}
	for _, c := range a.contains {
		i := l.part(c)
		l.inside[i] = append(l.inside[i], place)
	}
}

// part returns the index of a part.
func (l *lookup) part(text string) int32 {
	if l.partOf == nil {
		l.partOf = map[string]int32{}
	}
	i, known := l.partOf[text]
	if !known {
		i = int32(len(l.parts))
		l.partOf[text] = i
		l.parts = append(l.parts, text)
		l.prefix, l.inside = append(l.prefix, nil), append(l.inside, nil)
	}
	return i
}

func (s *shelf) build() {
	for _, l := range []*lookup{&s.keys, &s.texts, &s.folded} {
		l.build()
	}
}

// build makes the machine that finds all parts in one pass over a text.
func (l *lookup) build() {
	l.partOf = nil
	if len(l.parts) > 0 {
		builder := ahocorasick.NewAhoCorasickBuilder(ahocorasick.Opts{MatchKind: ahocorasick.StandardMatch})
		machine := builder.Build(l.parts)
		l.machine = &machine
	}
	l.parts = nil
}

// maxHits is from how many hits on they are made few again: a long text may hold one part many times.
const maxHits = 4096

// hits returns the places of the rules whose parts are in text, in order.
func (l *lookup) hits(text string) places {
	if l.machine == nil {
		return nil
	}
	var found places
	most := maxHits
	for it := l.machine.IterOverlapping(text); ; {
		hit := it.Next()
		if hit == nil {
			slices.Sort(found)
			return slices.Compact(found)
		}
		found = append(found, l.inside[hit.Pattern()]...)
		if hit.Start() == 0 {
			found = append(found, l.prefix[hit.Pattern()]...)
		}
		if len(found) > most {
			slices.Sort(found)
			found = slices.Compact(found)
			most = max(maxHits, 2*len(found))
		}
	}
}

// candidates are places of rules that may match a message, in order.
type candidates struct {
	lists [18]places // at most 9 of a shelf
	n     int
}

// candidates returns the rules that may match s.
func (x *index) candidates(s *subject) candidates {
	var c candidates
	x.general.candidates(s, &c)
	if own := x.accounts[s.msg.GetAccount()]; own != nil {
		own.candidates(s, &c)
	}
	return c
}

func (h *shelf) candidates(s *subject, c *candidates) {
	c.add(h.rest)
	c.add(h.types[s.msgType])
	if s.isEvent {
		c.add(h.events[s.event])
		key := s.msg.GetEvent().GetEventKey()
		c.add(h.keys.exact[key])
		c.add(h.keys.hits(key))
	}
	if s.msgType != "text" {
		return
	}
	c.add(h.texts.exact[s.text(false)])
	c.add(h.texts.hits(s.text(false)))
	if h.folded.exact != nil || h.folded.machine != nil {
		c.add(h.folded.exact[s.text(true)])
		c.add(h.folded.hits(s.text(true)))
	}
}

func (c *candidates) add(list places) {
	if len(list) > 0 {
		c.lists[c.n] = list
		c.n++
	}
}

// next returns the first of the places that are left.
func (c *candidates) next() (place int32, ok bool) {
	place = math.MaxInt32
	for _, list := range c.lists[:c.n] {
		if len(list) > 0 && list[0] < place {
			place, ok = list[0], true
		}
	}
	for i, list := range c.lists[:c.n] {
		for len(list) > 0 && list[0] == place { // twice where a rule says one thing twice, as "Hi" and "hi" folded
			list = list[1:]
		}
		c.lists[i] = list
	}
	return place, ok
}
