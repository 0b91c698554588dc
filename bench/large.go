package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// size is how much the large system has.
type size struct{ rules, accounts, remembered int }

// large is serve with many rules, many accounts, and a memory for many answers.
func (b *builder) large(ctx context.Context, n size) (*system, error) {
	s := b.begin()
	s.memory = &memory{want: n.remembered, least: n.remembered}
	s.target.accounts = manyAccounts(n.accounts)
	rules, accounts := filepath.Join(b.dir, "rules.yaml"), filepath.Join(b.dir, "accounts.yaml")
	if err := os.WriteFile(rules, rulesFile(n.rules), 0o600); err != nil {
		return s, err
	}
	if err := os.WriteFile(accounts, accountsFile(s.target.accounts), 0o600); err != nil {
		return s, err
	}
	args := serveArgs("--rules="+rules, "--accounts="+accounts)
	if mib := n.remembered / 4000; mib > 64 { // the default; an answer takes some 100 bytes, and as much again is for those before
		args = append(args, "--once-memory="+strconv.Itoa(mib))
	}
	var err error
	s.target.addr, err = b.add(ctx, s, "listen", b.wxgate, args...)
	return s, err
}

func manyAccounts(n int) []*account {
	all := make([]*account, n)
	for i := range all {
		all[i] = &account{name: fmt.Sprintf("account%04d", i), token: fmt.Sprintf("benchToken%04d", i)}
	}
	return all
}

func accountsFile(all []*account) []byte {
	b := bytes.NewBufferString("accounts:\n")
	for _, a := range all {
		fmt.Fprintf(b, "  - {name: %s, token: %s, mode: plain}\n", a.name, a.token)
	}
	return b.Bytes()
}

// rulesFile has rules for words that no message has, and behind them the echo rule of the built-in ones.
func rulesFile(n int) []byte {
	b := bytes.NewBufferString("rules:\n")
	for i := 1; i < n; i++ {
		word := fmt.Sprintf("word %06d", i)
		fmt.Fprintf(b, "  - {name: %s, match: {text: {%s: %s}}, reply: {text: answer %06d}}\n",
			word, [...]string{"exact", "prefix", "contains"}[i%3], word, i)
	}
	b.WriteString("  - {name: echo, match: {type: text}, reply: {text: \"{{ message.text.content }}\"}}\n")
	return b.Bytes()
}

// rememberFor is how long a replier keeps an answer for WeChat's retries.
const rememberFor = time.Minute

// memory sees to it that a system remembers many messages. How many they can be, the machine says too: as many as it
// answers in rememberFor.
type memory struct {
	want  int
	given []given
	least int // that it remembered at the end of a round
}

// given are so many answers, the first of them at a time.
type given struct {
	at    time.Time
	count int
}

// add notes answers.
func (m *memory) add(at time.Time, count int) { m.given = append(m.given, given{at, count}) }

// remembered returns how many messages the system knows at a time, at least.
func (m *memory) remembered(now time.Time) (sum int) {
	for _, g := range m.given {
		if now.Sub(g.at) < rememberFor {
			sum += g.count
		}
	}
	return sum
}

// fill has the system answer messages until it knows as many as it should, or forgets as many as it learns.
func (m *memory) fill(ctx context.Context, s *system) error {
	for began := time.Now(); m.remembered(time.Now()) < m.want && time.Since(began) < rememberFor; {
		at := time.Now()
		count, err := s.target.closed(ctx, time.Second)
		if err != nil {
			return fmt.Errorf("fill the memory: %w", err)
		}
		m.add(at, count)
		s.clearLogs()
	}
	return nil
}
