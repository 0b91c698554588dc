package backlog

import (
	"cmp"
	"slices"
	"sync"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

// index is what this replica knows of all records, without messages and replies. It is safe for concurrent use.
type index struct {
	mu        sync.RWMutex
	byID      map[string]*entry
	byKey     map[wechatv1.Key]*entry
	byFetcher map[wechatv1.Key]*entry
	users     map[user]*line
	bytes     int
}

type user struct{ account, openid string }

// entry is a record as it was seen last.
type entry struct {
	Record
	id       string
	size     int
	revision uint64
	seen     time.Time // when this replica saw the state first
	answered bool      // its answer is made
}

// line is the messages of one user that are not answered yet, in WeChat's order.
type line struct {
	open    []*entry
	changed chan struct{} // closed at the next change
}

func (x *index) init() {
	x.byID, x.byKey, x.byFetcher, x.users = map[string]*entry{}, map[wechatv1.Key]*entry{}, map[wechatv1.Key]*entry{}, map[user]*line{}
}

// set takes note of a record; one that is older than what is known changes nothing.
func (x *index) set(id string, r Record, size int, revision uint64) {
	answered := len(r.Reply) > 0
	r.Message, r.Reply = nil, nil
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.byID[id]
	switch {
	case e == nil:
		e = &entry{id: id}
		x.byID[id], x.byKey[r.Key] = e, e
	case revision <= e.revision:
		return
	}
	x.bytes += size - e.size
	e.Record, e.size, e.revision, e.seen, e.answered = r, size, revision, time.Now(), answered
	if r.Fetcher != nil {
		x.byFetcher[*r.Fetcher] = e
	}
	x.enter(e)
}

// enter puts an entry into its user's line, or takes it out.
func (x *index) enter(e *entry) {
	u := user{e.Key.Account, e.Key.From}
	l := x.users[u]
	at := -1
	if l != nil {
		at = l.find(e)
	}
	switch {
	case !ended(e.State) && at < 0:
		if l == nil {
			l = &line{changed: make(chan struct{})}
			x.users[u] = l
		}
		at, _ = slices.BinarySearchFunc(l.open, e, func(a, b *entry) int { return a.compare(&b.Record) })
		l.open = slices.Insert(l.open, at, e)
	case ended(e.State) && at >= 0:
		l.open = slices.Delete(l.open, at, at+1)
	}
	if l == nil {
		return
	}
	close(l.changed)
	l.changed = make(chan struct{})
	if len(l.open) == 0 {
		delete(x.users, u)
	}
}

// find returns the place of an entry, or -1.
func (l *line) find(e *entry) int {
	at, _ := slices.BinarySearchFunc(l.open, e, func(a, b *entry) int { return a.compare(&b.Record) })
	if at < len(l.open) && l.open[at] == e {
		return at
	}
	return slices.Index(l.open, e) // its place changed
}

// empty tells whether no message is known at all: then there is nothing to look for.
func (x *index) empty() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.byID) == 0
}

// full tells whether the records take so many bytes.
func (x *index) full(size int) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.bytes >= size
}

// find returns a record by the key of its message.
func (x *index) find(key wechatv1.Key) (Record, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if e := x.byKey[key]; e != nil {
		return e.Record, true
	}
	return Record{}, false
}

// ahead returns whether a message of the same user is to be sent before this one, and what tells of a change.
func (x *index) ahead(r *Record) (ahead bool, changed <-chan struct{}) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	l := x.users[user{r.Key.Account, r.Key.From}]
	if l == nil {
		return false, nil
	}
	for _, e := range l.open {
		if e.Key == r.Key {
			break
		}
		if !e.Later {
			return true, l.changed
		}
	}
	return false, nil
}

// later returns the user's first message whose answer the next one fetches, and what tells of a change.
func (x *index) later(u user) (e entry, changed <-chan struct{}, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if l := x.users[u]; l != nil {
		for _, e := range l.open {
			if e.Later {
				return *e, l.changed, true
			}
		}
	}
	return entry{}, nil, false
}

// fetched returns the record whose answer a message fetched.
func (x *index) fetched(key wechatv1.Key) (entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if e := x.byFetcher[key]; e != nil {
		return *e, true
	}
	return entry{}, false
}

// get returns a record by its id.
func (x *index) get(id string) (entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if e := x.byID[id]; e != nil {
		return *e, true
	}
	return entry{}, false
}

// orphan is a message that nobody attends to, and what it is sorted by.
type orphan struct {
	id               string
	createTime, came int64
}

// orphans returns the messages that somebody should work on and nobody attends to, in WeChat's order.
func (x *index) orphans(attended func(*entry) bool) []orphan {
	all := x.unattended(attended)
	slices.SortFunc(all, func(a, b orphan) int {
		return cmp.Or(cmp.Compare(a.createTime, b.createTime), cmp.Compare(a.came, b.came))
	})
	return all
}

func (x *index) unattended(attended func(*entry) bool) []orphan {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []orphan
	for _, l := range x.users {
		for _, e := range l.open {
			if e.waits() && !attended(e) {
				all = append(all, orphan{e.id, e.CreateTime, e.Came.UnixNano()})
			}
		}
	}
	return all
}

// stale returns the answers that their users did not fetch in time, and forgets what the store has forgotten by now.
func (x *index) stale() []entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	var over []entry
	for id, e := range x.byID {
		switch life := e.life(); {
		case !ended(e.State):
			if e.State == Kept && e.over() {
				over = append(over, *e)
			}
		case time.Since(e.seen) > life:
			x.bytes -= e.size
			delete(x.byID, id)
			delete(x.byKey, e.Key)
			if e.Fetcher != nil {
				delete(x.byFetcher, *e.Fetcher)
			}
		}
	}
	return over
}

// list returns the records that match.
func (x *index) list(match func(*entry) bool) []entry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []entry
	for _, e := range x.byID {
		if match(e) {
			all = append(all, *e)
		}
	}
	return all
}

// counts is how many messages there are.
type counts struct{ open, failed, bytes int }

func (x *index) count() counts {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := counts{bytes: x.bytes}
	for _, e := range x.byID {
		switch {
		case !ended(e.State):
			c.open++
		case failed(e.State):
			c.failed++
		}
	}
	return c
}
