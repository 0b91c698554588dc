package rules

import (
	"math"
	"slices"

	ahocorasick "github.com/petar-dambovaliev/aho-corasick"
)

// positions are indexes into the list of all rules, ascending.
type positions = []int32

// ruleIndex finds the rules that may match a message without trying all of them. Each rule is filed under the condition that
// is easiest to look up. A rule with accounts is filed once for each of them.
type ruleIndex struct {
	general  accountIndex
	accounts map[string]*accountIndex
}

// accountIndex is the index of the rules of one account, or of the rules without an account.
type accountIndex struct {
	rest   positions // rules with no condition that can be looked up
	types  map[string]positions
	events map[string]positions
	keys   textIndex
	texts  textIndex // by the text as sent
	folded textIndex // by the folded text
}

// textIndex finds the rules with a condition that a text meets.
type textIndex struct {
	exact   map[string]positions
	parts   []string         // the texts of prefix: and contains:, each once; only while the index is built
	partOf  map[string]int32 // index into parts by text; only while the index is built
	prefix  []positions      // rules with the part as prefix:, by index into parts
	inside  []positions      // rules with the part in contains:, by index into parts
	machine *ahocorasick.AhoCorasick
}

func newIndex(rules []Rule) ruleIndex {
	x := ruleIndex{accounts: map[string]*accountIndex{}}
	for i := range rules {
		m := &rules[i].match
		if len(m.accounts) == 0 {
			x.general.addRule(int32(i), m)
		}
		for _, name := range m.accounts {
			if x.accounts[name] == nil {
				x.accounts[name] = &accountIndex{}
			}
			x.accounts[name].addRule(int32(i), m)
		}
	}
	x.general.buildMachines()
	for _, s := range x.accounts {
		s.buildMachines()
	}
	return x
}

func (s *accountIndex) addRule(position int32, m *ruleMatch) {
	switch {
	case m.text != nil && m.text.canLookUp() && m.text.fold:
		s.folded.addTexts(position, m.text)
	case m.text != nil && m.text.canLookUp():
		s.texts.addTexts(position, m.text)
	case m.key != nil:
		s.keys.addTexts(position, m.key)
	case len(m.events) > 0:
		addPosition(&s.events, position, m.events)
	case m.text != nil:
		addPosition(&s.types, position, []string{"text"})
	case len(m.types) > 0:
		addPosition(&s.types, position, m.types)
	default:
		s.rest = append(s.rest, position)
	}
}

func addPosition(to *map[string]positions, position int32, names []string) {
	if *to == nil {
		*to = map[string]positions{}
	}
	for _, name := range names {
		(*to)[name] = append((*to)[name], position)
	}
}

// canLookUp reports whether an index can find the conditions: regular expressions must be tried one by one.
func (a *textMatcher) canLookUp() bool { return len(a.patterns) == 0 }

func (l *textIndex) addTexts(position int32, a *textMatcher) {
	addPosition(&l.exact, position, a.exact)
	for _, p := range a.prefixes {
		i := l.partIndex(p)
		l.prefix[i] = append(l.prefix[i], position)
	}
	for _, c := range a.contains {
		i := l.partIndex(c)
		l.inside[i] = append(l.inside[i], position)
	}
}

// partIndex returns the index of text in parts, and adds it if it is new.
func (l *textIndex) partIndex(text string) int32 {
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

func (s *accountIndex) buildMachines() {
	for _, l := range []*textIndex{&s.keys, &s.texts, &s.folded} {
		l.buildMachine()
	}
}

// buildMachine builds the automaton that finds all parts in one pass over a text.
func (l *textIndex) buildMachine() {
	l.partOf = nil
	if len(l.parts) > 0 {
		builder := ahocorasick.NewAhoCorasickBuilder(ahocorasick.Opts{MatchKind: ahocorasick.StandardMatch})
		machine := builder.Build(l.parts)
		l.machine = &machine
	}
	l.parts = nil
}

// maxHits is the number of hits after which duplicates are removed: a long text may contain one part many times.
const maxHits = 4096

// findParts returns the rules with a part that text contains, in order.
func (l *textIndex) findParts(text string) positions {
	if l.machine == nil {
		return nil
	}
	var found positions
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

// candidateList merges the lists of the rules that may match a message.
type candidateList struct {
	lists [18]positions // at most 9 for each of two accountIndexes
	count int
}

// findCandidates returns the rules that may match a message.
func (x *ruleIndex) findCandidates(s *matchInput) candidateList {
	var c candidateList
	x.general.collectCandidates(s, &c)
	if own := x.accounts[s.msg.GetAccount()]; own != nil {
		own.collectCandidates(s, &c)
	}
	return c
}

func (h *accountIndex) collectCandidates(s *matchInput, c *candidateList) {
	c.addList(h.rest)
	c.addList(h.types[s.msgType])
	if s.isEvent {
		c.addList(h.events[s.event])
		key := s.msg.GetEvent().GetEventKey()
		c.addList(h.keys.exact[key])
		c.addList(h.keys.findParts(key))
	}
	if s.msgType != "text" {
		return
	}
	c.addList(h.texts.exact[s.messageText(false)])
	c.addList(h.texts.findParts(s.messageText(false)))
	if h.folded.exact != nil || h.folded.machine != nil {
		c.addList(h.folded.exact[s.messageText(true)])
		c.addList(h.folded.findParts(s.messageText(true)))
	}
}

func (c *candidateList) addList(list positions) {
	if len(list) > 0 {
		c.lists[c.count] = list
		c.count++
	}
}

// nextPosition removes the smallest position from all lists and returns it; ok is false if none is left.
func (c *candidateList) nextPosition() (position int32, ok bool) {
	position = math.MaxInt32
	for _, list := range c.lists[:c.count] {
		if len(list) > 0 && list[0] < position {
			position, ok = list[0], true
		}
	}
	for i, list := range c.lists[:c.count] {
		for len(list) > 0 && list[0] == position { // twice if conditions are equal after folding, such as "Hi" and "hi"
			list = list[1:]
		}
		c.lists[i] = list
	}
	return position, ok
}
