package fakewechat

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"wxgate/fakewechat/sender"
)

// keepEvery is how often chats that changed are written to their file.
const keepEvery = time.Second

// keptChats is the content of a Platform's chat file: the chats, and the state of their users. It holds texts of users, and no
// secret of an account.
type keptChats struct {
	Last  int64       `json:"last"` // id
	Users []*keptUser `json:"users"`
	Lines []*chatLine `json:"lines"`
	Calls []chatCall  `json:"calls"`
}

// keptUser is a user with the windows for customer-service messages: a late answer may follow after a restart.
type keptUser struct {
	chatUser
	Windows [Unfollowed]keptWindow `json:"windows"`
	Contact time.Time              `json:"contact"`
}

type keptWindow struct {
	Ends time.Time `json:"ends"`
	Left int       `json:"left"`
}

// keepChats writes the chats after each change, until the Platform is closed.
func (p *Platform) keepChats() {
	defer close(p.keeping)
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	written := int64(0)
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		if changes := p.chat.changeCount(); changes != written {
			p.writeChats()
			written = changes
		}
	}
}

func (c *chatStore) changeCount() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// writeChats replaces the file. If that fails, the log says so, and the chats go on.
func (p *Platform) writeChats() {
	temporary := p.first.ChatFile + ".new"
	err := os.WriteFile(temporary, p.snapshotChats(), 0o600)
	if err == nil {
		err = os.Rename(temporary, p.first.ChatFile)
	}
	if err != nil {
		p.log.Warn("fake WeChat: cannot write the chat file; the chats end with this process", "error", err.Error())
	}
}

func (p *Platform) snapshotChats() []byte {
	var kept keptChats
	for _, acc := range p.allAccounts() {
		for _, u := range p.chat.usersOf(acc.settings.AppID) {
			kept.Users = append(kept.Users, acc.snapshotUser(u))
		}
	}
	c := p.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	kept.Last, kept.Lines, kept.Calls = c.last, c.lines, c.calls
	return asJSON(kept)
}

func (acc *account) snapshotUser(shown chatUser) *keptUser {
	kept := &keptUser{chatUser: shown}
	acc.api.mu.Lock()
	defer acc.api.mu.Unlock()
	if u := acc.api.users.get(shown.OpenID); u != nil {
		kept.Contact = u.contact
		for i, w := range u.windows {
			kept.Windows[i] = keptWindow{w.ends, w.left}
		}
	}
	return kept
}

// readChats restores the chats of the file. A missing file is normal: the Platform is new. A damaged file is ignored, and
// replaced after the next change.
func (p *Platform) readChats() {
	raw, err := os.ReadFile(p.first.ChatFile)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = p.restoreChats(raw)
	}
	if err != nil {
		p.log.Warn("fake WeChat: cannot read the chat file; starting without the previous chats", "file", p.first.ChatFile, "error", err.Error())
	}
}

// restoreChats restores the chats of the accounts that exist.
func (p *Platform) restoreChats(raw []byte) error {
	var kept keptChats
	if err := json.Unmarshal(raw, &kept); err != nil {
		return err
	}
	known := map[chatUserKey]bool{}
	for _, u := range kept.Users[max(0, len(kept.Users)-maxTalkers):] {
		if u == nil || known[u.chatUserKey] || p.accountByAppID(u.Account).settings.AppID != u.Account || !p.accountByAppID(u.Account).restoreUser(u) {
			continue
		}
		known[u.chatUserKey] = true
		p.chat.restoreUser(u.chatUser)
	}
	p.chat.restoreLines(kept, known)
	return nil
}

// restoreUser restores a user's state. It returns false if the openid is invalid.
func (acc *account) restoreUser(kept *keptUser) bool {
	acc.api.mu.Lock()
	defer acc.api.mu.Unlock()
	u := acc.api.meetUser(kept.OpenID)
	if u == nil {
		return false
	}
	u.follow, u.contact = kept.Follow, kept.Contact
	for i, w := range kept.Windows {
		u.windows[i] = messageWindow{w.Ends, w.Left}
	}
	return true
}

func (c *chatStore) restoreUser(kept chatUser) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.touchUser(kept.chatUserKey)
	u.Since, u.Number, u.Follow = kept.Since, kept.Number, kept.Follow
}

// stoppedMeanwhile is the error of an attempt that was running when the process stopped.
var stoppedMeanwhile = sender.Because("the fake platform stopped before the answer")

// restoreLines restores the lines of known users. Attempts that were running have failed.
func (c *chatStore) restoreLines(kept keptChats, known map[chatUserKey]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, kept.Last)
	for _, l := range kept.Lines[max(0, len(kept.Lines)-maxLines):] {
		if l == nil || !known[l.userKey()] {
			continue
		}
		l.Attempts = slices.DeleteFunc(l.Attempts, func(a *chatAttempt) bool { return a == nil })
		for _, a := range l.Attempts {
			if a.Running {
				a.Running, a.Error, a.ErrorZH = false, stoppedMeanwhile.Error(), stoppedMeanwhile.Chinese()
			}
		}
		l.Done = true
		c.last = max(c.last, l.ID)
		c.lines = append(c.lines, l)
	}
	for _, call := range kept.Calls[max(0, len(kept.Calls)-maxCallLines):] {
		c.last = max(c.last, call.ID)
		c.calls = append(c.calls, call)
	}
}
