package fakewechat

import (
	"crypto/sha256"
	"math"
	"slices"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// Action is an action of a user. Most actions allow the account some customer-service messages for a while.
type Action int

// The actions, and the messages that they allow ("客服消息", platform.md F.3).
const (
	Wrote      Action = iota // a message: 5 in 48 hours
	Tapped                   // a menu's button (CLICK, scancode_push, scancode_waitmsg), a msgmenu's item: 3 in a minute
	Followed                 // 3 in a minute
	Scanned                  // a QR code, as a follower: 3 in a minute
	Paid                     // any number in 48 hours. There is no callback for it
	Unfollowed               // closes all windows, until the user follows again
)

// messageWindow is the permission to send some messages for a while.
type messageWindow struct {
	ends time.Time
	left int // messages
}

var allowed = [Unfollowed]struct {
	count int
	lasts time.Duration
}{
	Wrote:    {5, 48 * time.Hour},
	Tapped:   {3, time.Minute},
	Followed: {3, time.Minute},
	Scanned:  {3, time.Minute},
	Paid:     {math.MaxInt, 48 * time.Hour},
}

// maxOpenID is above any openid's length, which is 28.
const maxOpenID = 128

// followState says whether a user follows the account, as far as the Platform can know.
type followState string

const (
	isNewcomer followState = "" // unknown; a user who writes or taps a menu must be a follower
	isFollower followState = "yes"
	hasLeft    followState = "no"
)

// accountUser is a known user of an account.
type accountUser struct {
	follow  followState
	windows [Unfollowed]messageWindow
	contact time.Time         // the last action or message
	typing  time.Time         // until when the account is shown as typing
	last    [sha256.Size]byte // hash of the last callback
}

// Did records an action of a user. Callbacks of the page, and of a Sender with RecordCallback as BeforeSend, do so by
// themselves. The user becomes known; an openid that is empty or longer than 128 bytes is ignored. For a user of several
// accounts, the first account counts.
func (p *Platform) Did(openid string, a Action) {
	p.accountOfUser(openid).recordAction(openid, a, nil)
}

// RecordCallback records a callback that is about to be sent. A callback equal to the user's last one is a retry, and changes
// nothing.
func (p *Platform) RecordCallback(c sender.Callback) {
	if a, is := actionOf(c); is {
		p.accountByOriginalID(c.To).recordAction(c.From, a, c.XML)
	}
}

// recordAction records an action of a user. callback is nil if no callback made it known.
func (acc *account) recordAction(openid string, a Action, callback []byte) {
	sum := sha256.Sum256(callback)
	acc.api.mu.Lock()
	defer acc.api.mu.Unlock()
	u := acc.api.meetUser(openid)
	if u == nil || callback != nil && u.last == sum {
		return
	}
	if callback != nil {
		u.last = sum
	}
	u.recordAction(a, acc.platform.now())
	acc.platform.chat.setFollow(chatUserKey{acc.settings.AppID, openid}, u.follow)
}

// followOf returns the follow state of a user.
func (acc *account) followOf(openid string) followState {
	acc.api.mu.Lock()
	defer acc.api.mu.Unlock()
	if u := acc.api.users.get(openid); u != nil {
		return u.follow
	}
	return isNewcomer
}

// onlyFollowers are the events, in lower case, that only followers of the account can cause. Other events come from pages, or
// from the account's own calls.
var onlyFollowers = []string{
	"unsubscribe", "scan", "location", "click", "view", "view_miniprogram", "scancode_push", "scancode_waitmsg",
	"pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select",
}

// needsFollower reports whether only a follower can send a callback: each message, and the events of the account's menu and
// chat.
func needsFollower(c sender.Callback) bool {
	switch c.MsgType {
	case "", "device_text", "device_event":
		return false
	case "event":
		return slices.Contains(onlyFollowers, strings.ToLower(c.Event))
	}
	return true
}

// setFollow records whether a user follows the account.
func (c *chatStore) setFollow(is chatUserKey, state followState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	known := slices.ContainsFunc(c.users, func(u *chatUser) bool { return u.chatUserKey == is })
	if !known && state != hasLeft { // the user has no chat, and needs none
		return
	}
	if u := c.touchUser(is); u.Follow != state {
		u.Follow = state
		c.sendEvent("user", u)
	}
}

// actionOf returns the user's action in a callback, or false if it neither opens nor closes a window.
func actionOf(c sender.Callback) (a Action, is bool) {
	switch {
	case c.MsgType == "" || c.MsgType == "device_event":
		return 0, false
	case c.MsgType != "event" && c.MenuItem != "":
		return Tapped, true
	case c.MsgType != "event":
		return Wrote, true
	}
	switch strings.ToLower(c.Event) {
	case "click", "scancode_push", "scancode_waitmsg":
		return Tapped, true
	case "subscribe":
		return Followed, true
	case "scan":
		return Scanned, true
	case "unsubscribe":
		return Unfollowed, true
	}
	return 0, false
}

// meetUser returns a user, added if new. It returns nil for an openid that cannot be one. The caller holds mu.
func (s *apiStore) meetUser(openid string) *accountUser {
	if openid == "" || len(openid) > maxOpenID {
		return nil
	}
	u := s.users.get(openid)
	if u == nil {
		u = &accountUser{}
		s.users.put(openid, u)
	}
	return u
}

func (u *accountUser) recordAction(a Action, now time.Time) {
	switch {
	case a == Unfollowed:
		*u = accountUser{last: u.last, follow: hasLeft}
		return
	case a == Followed:
		u.follow = isFollower
	case u.follow == hasLeft: // a late or made-up callback
		return
	case a != Paid: // users pay without following
		u.follow = isFollower
	}
	u.windows[a] = messageWindow{now.Add(allowed[a].lasts), allowed[a].count}
	u.contact = now
}

// openWindow returns the open window that ends first and has a message left, or nil and the errcode for a message.
func (u *accountUser) openWindow(now time.Time) (w *messageWindow, errcode int) {
	errcode = 45015
	for i := range u.windows {
		switch v := &u.windows[i]; {
		case !now.Before(v.ends):
		case v.left == 0:
			errcode = 45047
		case w == nil || v.ends.Before(w.ends):
			w = v
		}
	}
	if w != nil {
		errcode = 0
	}
	return w, errcode
}
