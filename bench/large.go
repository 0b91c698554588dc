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

// largeSize is the size of the large system.
type largeSize struct{ rules, accounts, remembered int }

// largeSystem is serve with many rules, many accounts, and a memory for many answers.
func (b *systemBuilder) largeSystem(ctx context.Context, n largeSize) (*processGroup, error) {
	s := b.newSystem()
	s.memory = &messageMemory{want: n.remembered, least: n.remembered}
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
	s.target.addr, err = b.addProcess(ctx, s, "listen", b.wxgate, args...)
	return s, err
}

func manyAccounts(n int) []*benchAccount {
	all := make([]*benchAccount, n)
	for i := range all {
		all[i] = &benchAccount{name: fmt.Sprintf("account%04d", i), token: fmt.Sprintf("benchToken%04d", i)}
	}
	return all
}

func accountsFile(all []*benchAccount) []byte {
	b := bytes.NewBufferString("accounts:\n")
	for _, a := range all {
		fmt.Fprintf(b, "  - {name: %s, token: %s, mode: plain}\n", a.name, a.token)
	}
	return b.Bytes()
}

// rulesFile has rules for words that no message contains, and after them the echo rule of the built-in rules.
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

// rememberFor is how long a replier remembers an answer for WeChat's retries.
const rememberFor = time.Minute

// messageMemory makes a system remember many messages. Their number is limited by the machine: it cannot exceed the answers of
// rememberFor.
type messageMemory struct {
	want  int
	given []givenAnswers
	least int // that it remembered at the end of a round
}

// givenAnswers is a number of answers, and the time of the first of them.
type givenAnswers struct {
	at    time.Time
	count int
}

// addAnswers records answers.
func (m *messageMemory) addAnswers(at time.Time, count int) {
	m.given = append(m.given, givenAnswers{at, count})
}

// countRemembered returns the least number of messages that the system remembers at a time.
func (m *messageMemory) countRemembered(now time.Time) (sum int) {
	for _, g := range m.given {
		if now.Sub(g.at) < rememberFor {
			sum += g.count
		}
	}
	return sum
}

// fillUp makes the system answer messages until it remembers the wanted number, or forgets as many as it learns.
func (m *messageMemory) fillUp(ctx context.Context, s *processGroup) error {
	for began := time.Now(); m.countRemembered(time.Now()) < m.want && time.Since(began) < rememberFor; {
		at := time.Now()
		count, err := s.target.sendClosed(ctx, time.Second)
		if err != nil {
			return fmt.Errorf("fill the memory: %w", err)
		}
		m.addAnswers(at, count)
		s.clearLogs()
	}
	return nil
}
