package backlog

import (
	"cmp"
	"slices"
	"sync"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

// recordIndex is this replica's view of all records, without messages and replies. It is safe for concurrent use.
type recordIndex struct {
	mu        sync.RWMutex
	byID      map[string]*entry
	byKey     map[wechatv1.Key]*entry
	byFetcher map[wechatv1.Key]*entry
	users     map[userKey]*userLine
	bytes     int
}

type userKey struct{ account, openid string }

// entry is the last seen state of a record.
type entry struct {
	Record
	id       string
	size     int
	revision uint64
	seen     time.Time // when this replica saw the state first
	answered bool      // the record has a reply
}

// userLine is one user's messages that have not ended, in WeChat's order.
type userLine struct {
	open    []*entry
	changed chan struct{} // closed at the next change
}

func newRecordIndex() recordIndex {
	return recordIndex{
		byID: map[string]*entry{}, byKey: map[wechatv1.Key]*entry{}, byFetcher: map[wechatv1.Key]*entry{}, users: map[userKey]*userLine{},
	}
}

// setRecord notes the state of a record, unless a newer one is known.
func (x *recordIndex) setRecord(id string, r Record, size int, revision uint64) {
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
	x.updateLine(e)
}

// updateLine adds an entry to its user's line, or removes it. The caller holds mu.
func (x *recordIndex) updateLine(e *entry) {
	u := userKey{e.Key.Account, e.Key.From}
	l := x.users[u]
	at := -1
	if l != nil {
		at = l.positionOf(e)
	}
	switch {
	case !isEnded(e.State) && at < 0:
		if l == nil {
			l = &userLine{changed: make(chan struct{})}
			x.users[u] = l
		}
		at, _ = slices.BinarySearchFunc(l.open, e, func(a, b *entry) int { return a.compareOrder(&b.Record) })
		l.open = slices.Insert(l.open, at, e)
	case isEnded(e.State) && at >= 0:
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

// positionOf returns the position of an entry, or -1.
func (l *userLine) positionOf(e *entry) int {
	at, _ := slices.BinarySearchFunc(l.open, e, func(a, b *entry) int { return a.compareOrder(&b.Record) })
	if at < len(l.open) && l.open[at] == e {
		return at
	}
	return slices.Index(l.open, e) // its position changed
}

// isEmpty reports whether no message is known at all.
func (x *recordIndex) isEmpty() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.byID) == 0
}

// isFull reports whether the records take limit bytes or more.
func (x *recordIndex) isFull(limit int) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.bytes >= limit
}

// findByKey returns a record by the key of its message.
func (x *recordIndex) findByKey(key wechatv1.Key) (Record, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if e := x.byKey[key]; e != nil {
		return e.Record, true
	}
	return Record{}, false
}

// hasEarlier reports whether the answer to another message of the user is to be sent before this one's. changed is closed when
// that may be different.
func (x *recordIndex) hasEarlier(r *Record) (earlier bool, changed <-chan struct{}) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	l := x.users[userKey{r.Key.Account, r.Key.From}]
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

// firstLater returns the user's first message whose answer the next message fetches. changed is closed when it may be
// different.
func (x *recordIndex) firstLater(u userKey) (e entry, changed <-chan struct{}, ok bool) {
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

// findByFetcher returns the record whose answer was fetched by the message with this key.
func (x *recordIndex) findByFetcher(key wechatv1.Key) (entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if e := x.byFetcher[key]; e != nil {
		return *e, true
	}
	return entry{}, false
}

// findByID returns a record by its id.
func (x *recordIndex) findByID(id string) (entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if e := x.byID[id]; e != nil {
		return *e, true
	}
	return entry{}, false
}

// orphan is a message that no replica works on, with its sort keys.
type orphan struct {
	id               string
	createTime, came int64
}

// listOrphans returns the messages that need work and that no replica works on, in WeChat's order.
func (x *recordIndex) listOrphans(isAttended func(*entry) bool) []orphan {
	all := x.findUnattended(isAttended)
	slices.SortFunc(all, func(a, b orphan) int {
		return cmp.Or(cmp.Compare(a.createTime, b.createTime), cmp.Compare(a.came, b.came))
	})
	return all
}

func (x *recordIndex) findUnattended(isAttended func(*entry) bool) []orphan {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []orphan
	for _, l := range x.users {
		for _, e := range l.open {
			if e.needsWork() && !isAttended(e) {
				all = append(all, orphan{e.id, e.CreateTime, e.Came.UnixNano()})
			}
		}
	}
	return all
}

// removeForgotten removes the records that the store has forgotten by now.
func (x *recordIndex) removeForgotten() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, e := range x.byID {
		if !isEnded(e.State) || time.Since(e.seen) <= e.timeToLive() {
			continue
		}
		x.bytes -= e.size
		delete(x.byID, id)
		delete(x.byKey, e.Key)
		if e.Fetcher != nil {
			delete(x.byFetcher, *e.Fetcher)
		}
	}
}

// expiredAnswers returns the kept answers that their users did not fetch in time.
func (x *recordIndex) expiredAnswers() []entry {
	return x.listEntries(func(e *entry) bool { return e.State == Kept && e.isExpired() })
}

// listEntries returns the records for which match is true.
func (x *recordIndex) listEntries(match func(*entry) bool) []entry {
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

// recordCounts is the number of messages by state, and their size.
type recordCounts struct{ open, failed, bytes int }

func (x *recordIndex) countRecords() recordCounts {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := recordCounts{bytes: x.bytes}
	for _, e := range x.byID {
		switch {
		case !isEnded(e.State):
			c.open++
		case isFailed(e.State):
			c.failed++
		}
	}
	return c
}
