package fakewechat

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"wxgate/fakewechat/sender"
)

// Bounds of the chat page's content.
const (
	maxLines     = maxLogLines // of all chats together
	maxTalkers   = 100         // users; the longest silent is forgotten first
	maxWatchers  = 32          // open pages
	maxShown     = 16 << 10    // bytes of a body, as sent or received
	maxElements  = 40          // of a callback
	watcherLag   = 256         // events that a page may lag behind before it must reload
	maxInFlight  = 32          // messages of the page that have no answer yet
	maxCallLines = maxLogLines // API calls
)

// chatStore holds the content of the chat page: the users' chats with the accounts, and the API calls. Its memory is bounded.
type chatStore struct {
	mu            sync.Mutex
	last          int64       // id
	changes       int64       // number of changes so far
	lines         []*chatLine // oldest first
	users         []*chatUser // the longest silent first
	calls         []chatCall  // oldest first
	watchers      map[chan chatEvent]bool
	inFlight      int
	lastElsewhere [sha256.Size]byte // hash of the last callback from another process
	working       sync.WaitGroup    // messages in flight
	closed        bool
}

// newChat returns the chats of an account that has one user, User.
func newChat(appID string) *chatStore {
	c := &chatStore{watchers: map[chan chatEvent]bool{}}
	c.touchUser(chatUserKey{appID, sender.User})
	return c
}

// addWatcher returns the current state, and a channel with all later changes. The channel is closed if the page is too slow or
// the platform stops; it is nil if too many pages are open.
func (c *chatStore) addWatcher(now time.Time) (chatState, chan chatEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.watchers) >= maxWatchers {
		return chatState{}, nil
	}
	events := make(chan chatEvent, watcherLag)
	c.watchers[events] = true
	state := chatState{Users: []*chatUser{}, Lines: []*chatLine{}, Calls: slices.Clone(c.calls), Typing: []chatTyping{}}
	for _, u := range c.users {
		shown := *u
		state.Users = append(state.Users, &shown)
		if left := u.typing.Sub(now); left > 0 {
			state.Typing = append(state.Typing, chatTyping{u.chatUserKey, left.Milliseconds()})
		}
	}
	for _, l := range c.lines {
		state.Lines = append(state.Lines, l.withoutBodies())
	}
	return state, events
}

func (c *chatStore) removeWatcher(events chan chatEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropWatcher(events)
}

// dropWatcher closes a page's channel. The caller holds mu.
func (c *chatStore) dropWatcher(events chan chatEvent) {
	if c.watchers[events] {
		delete(c.watchers, events)
		close(events)
	}
}

// sendEvent sends an event to all pages. The caller holds mu.
func (c *chatStore) sendEvent(name string, value any) {
	c.changes++
	if len(c.watchers) == 0 {
		return
	}
	data := asJSON(value)
	for events := range c.watchers {
		select {
		case events <- chatEvent{name, data}:
		default:
			c.dropWatcher(events) // the page reconnects, and gets the whole state
		}
	}
}

// closeWatchers closes the channels of all pages.
func (c *chatStore) closeWatchers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for events := range c.watchers {
		c.dropWatcher(events)
	}
}

// sendFaults sends the faults that are now on to the pages.
func (c *chatStore) sendFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendEvent("faults", f)
}

// resetChats forgets all chats and calls; the pages start again.
func (c *chatStore) resetChats(appID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines, c.users, c.calls, c.lastElsewhere = nil, nil, nil, [sha256.Size]byte{}
	c.touchUser(chatUserKey{appID, sender.User})
	c.sendEvent("reset", nil)
}

// startSending counts a message in, and returns false if too many are in flight or the platform is closed. If it returned
// true, the caller must call endSending.
func (c *chatStore) startSending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.inFlight >= maxInFlight {
		return false
	}
	c.inFlight++
	c.working.Add(1)
	return true
}

func (c *chatStore) endSending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
	c.working.Done()
}

// touchUser returns a user's entry, made if it is new, and makes it the most recent. The caller holds mu, or is the only user
// of the store.
func (c *chatStore) touchUser(is chatUserKey) *chatUser {
	i := slices.IndexFunc(c.users, func(u *chatUser) bool { return u.chatUserKey == is })
	if i >= 0 {
		u := c.users[i]
		c.users = append(slices.Delete(c.users, i, i+1), u)
		return u
	}
	if len(c.users) == maxTalkers {
		forgotten := c.users[0].chatUserKey
		c.users = slices.Delete(c.users, 0, 1)
		c.lines = slices.DeleteFunc(c.lines, func(l *chatLine) bool { return l.userKey() == forgotten })
		c.sendEvent("forget", forgotten)
	}
	c.last++
	u := &chatUser{chatUserKey: is, Since: c.last, Number: 1}
	for _, other := range c.users {
		if other.Account == is.Account {
			u.Number = max(u.Number, other.Number+1)
		}
	}
	c.users = append(c.users, u)
	c.sendEvent("user", u)
	return u
}

// meetUser makes sure that a user has a chat, and returns the user.
func (c *chatStore) meetUser(is chatUserKey) chatUser {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.touchUser(is)
}

// usersOf returns an account's users in the order in which they were added.
func (c *chatStore) usersOf(appID string) []chatUser {
	c.mu.Lock()
	defer c.mu.Unlock()
	var users []chatUser
	for _, u := range c.users {
		if u.Account == appID {
			users = append(users, *u)
		}
	}
	slices.SortFunc(users, func(a, b chatUser) int { return cmp.Compare(a.Since, b.Since) })
	return users
}

// sendAccounts sends the accounts to the pages.
func (c *chatStore) sendAccounts(shown func() []chatAccount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendEvent("accounts", shown())
}

// addLine appends a line to its user's chat and returns its id.
func (c *chatStore) addLine(l chatLine) int64 {
	l.User = sender.Clip(l.User, maxOpenID)
	l.Fields = boundedFields(l.Fields)
	if l.XML = sender.Clip(l.XML, maxForm); len(strings.Join(l.Send, "")) > maxForm {
		l.Send = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.touchUser(l.userKey())
	if l.From == fromAccount {
		u.typing = time.Time{}
	}
	if len(c.lines) == maxLines {
		c.lines = slices.Delete(c.lines, 0, 1)
	}
	c.last++
	l.ID = c.last
	c.lines = append(c.lines, &l)
	c.sendEvent("line", l.withoutBodies())
	return l.ID
}

// changeLine changes a line, if it is still known, and sends it to the pages.
func (c *chatStore) changeLine(id int64, how func(l *chatLine)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.findLine(id); l != nil {
		how(l)
		c.sendEvent("line", l.withoutBodies())
	}
}

// findLine returns the line with an id, or nil. The caller holds mu.
func (c *chatStore) findLine(id int64) *chatLine {
	i := slices.IndexFunc(c.lines, func(l *chatLine) bool { return l.ID == id })
	if i < 0 {
		return nil
	}
	return c.lines[i]
}

// wholeLine returns a copy of a line with its bodies, or nil if the line is unknown.
func (c *chatStore) wholeLine(id int64) *chatLine {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.findLine(id)
	if l == nil {
		return nil
	}
	whole := *l
	whole.Attempts = nil
	for _, a := range l.Attempts {
		own := *a
		whole.Attempts = append(whole.Attempts, &own)
	}
	return &whole
}

// setTyping records that the account is typing until a time; with the zero time, that it has stopped.
func (c *chatStore) setTyping(is chatUserKey, until, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touchUser(is).typing = until
	c.sendEvent("typing", chatTyping{is, max(0, until.Sub(now).Milliseconds())})
}

// addCall records an API call.
func (c *chatStore) addCall(call chatCall) {
	call.Outcome, call.User = sender.Clip(call.Outcome, 300), sender.Clip(call.User, maxOpenID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls) == maxCallLines {
		c.calls = slices.Delete(c.calls, 0, 1)
	}
	c.last++
	call.ID = c.last
	c.calls = append(c.calls, call)
	c.sendEvent("call", call)
}

// recordElsewhere records a callback of another process. It returns false if it is another attempt of the last one.
func (c *chatStore) recordElsewhere(xml []byte) bool {
	sum := sha256.Sum256(xml)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.lastElsewhere = sum }()
	return c.lastElsewhere != sum
}
