package loadgen

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// message is a callback, and what its answer is judged by.
type message struct {
	due      time.Time
	copies   int    // how often it is sent
	run      string // with what every mark of the run begins
	mark     string // is in no other message
	echo     bool   // a text that answers must be the mark
	callback []byte
}

// writer writes the messages of a run. It is not for concurrent use.
type writer struct {
	cfg Config
	mix mix
	run string
	to  string
}

func newWriter(cfg Config, m mix) *writer {
	return &writer{cfg: cfg, mix: m, run: fmt.Sprintf("load-%08x-", rand.Uint32()), to: cmp.Or(cfg.Account.OriginalID, "gh_fake00000000")}
}

// next writes the message of number n.
func (w *writer) next(n int, due time.Time) *message {
	kind := w.mix.next()
	m := &message{due: due, copies: 1, run: w.run, mark: w.run + strconv.Itoa(n), echo: w.cfg.Echo && kind == "text"}
	if twice := func(n int) int { return int(float64(n) * w.cfg.Duplicates / 100) }; twice(n+1) > twice(n) {
		m.copies = 2
	}
	callback, err := sender.Compose(w.to, openid(rand.IntN(w.cfg.Users)), due, kind, kinds[kind](m.mark)...)
	if err != nil {
		panic(err) // a kind of ours that Compose does not take
	}
	m.callback = callback
	return m
}

// openid returns a user's openid, 28 characters as WeChat's have.
func openid(user int) string { return fmt.Sprintf("oLoadTestUser%015d", user) }

// foreign tells whether an answer quotes messages, but not this one.
func (m *message) foreign(answer string) bool {
	quotes := false
	for {
		_, rest, found := strings.Cut(answer, m.run)
		if !found {
			return quotes
		}
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		if m.run+digits == m.mark {
			return false
		}
		quotes, answer = true, rest
	}
}
