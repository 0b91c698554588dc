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

// loadMessage is a callback, and the data for judging its answer.
type loadMessage struct {
	due      time.Time
	copies   int    // how many times it is sent at once
	run      string // the prefix of every mark of the run
	mark     string // a text that is in no other message
	echo     bool   // the Content of the reply must be the mark
	callback []byte
}

// messageWriter composes the messages of a run. It is not safe for concurrent use.
type messageWriter struct {
	cfg Config
	mix kindMix
	run string
	to  string
}

func newMessageWriter(cfg Config, m kindMix) *messageWriter {
	return &messageWriter{cfg: cfg, mix: m, run: fmt.Sprintf("load-%08x-", rand.Uint32()), to: cmp.Or(cfg.Account.OriginalID, "gh_fake00000000")}
}

// nextMessage composes the message of number n.
func (w *messageWriter) nextMessage(n int, due time.Time) *loadMessage {
	kind := w.mix.nextKind()
	m := &loadMessage{due: due, copies: 1, run: w.run, mark: w.run + strconv.Itoa(n), echo: w.cfg.Echo && kind == "text"}
	if twice := func(n int) int { return int(float64(n) * w.cfg.Duplicates / 100) }; twice(n+1) > twice(n) {
		m.copies = 2
	}
	callback, err := sender.Compose(w.to, openidOf(rand.IntN(w.cfg.Users)), due, kind, kinds[kind](m.mark)...)
	if err != nil {
		panic(err) // a kind of a mix that Compose rejects
	}
	m.callback = callback
	return m
}

// openidOf returns a user's openid, 28 characters as WeChat's have.
func openidOf(user int) string { return fmt.Sprintf("oLoadTestUser%015d", user) }

// quotesOthers reports whether an answer quotes other messages of the run, but not this one.
func (m *loadMessage) quotesOthers(answer string) bool {
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
