package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	replierv1 "wxgate/proto/replier/v1"
)

// size is how much the large system has.
type size struct{ rules, accounts, remembered int }

// large is serve with many rules, many accounts, and a memory for many answers.
func (b *builder) large(ctx context.Context, n size) (*system, error) {
	s := b.begin()
	s.target.accounts = manyAccounts(n.accounts)
	rules, accounts := filepath.Join(b.dir, "rules.yaml"), filepath.Join(b.dir, "accounts.yaml")
	if err := os.WriteFile(rules, rulesFile(n.rules), 0o600); err != nil {
		return s, err
	}
	if err := os.WriteFile(accounts, accountsFile(s.target.accounts), 0o600); err != nil {
		return s, err
	}
	args := serveArgs("--rules="+rules, "--accounts="+accounts)
	if mib := onceMemory(n.remembered); mib > 64 { // the default
		args = append(args, "--once-memory="+strconv.Itoa(mib))
	}
	var err error
	if s.target.addr, err = b.add(ctx, s, "listen", b.wxgate, args...); err != nil {
		return s, err
	}
	replier, err := s.processes[0].addr(ctx, "replier-listen")
	if err != nil {
		return s, err
	}
	s.memory, err = newMemory(s, replier, n.remembered)
	return s, err
}

// onceMemory returns the MiB that so many answers need: each takes 512 bytes and its reply's.
func onceMemory(remembered int) int { return remembered / 1000 }

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

// memory sees to it that a replier remembers many messages.
type memory struct {
	want    int
	system  *system
	conns   []*grpc.ClientConn
	answers []answers
	least   int // that it remembered at the end of a round
}

// answers are so many that were given at a time.
type answers struct {
	at    time.Time
	count int
}

func newMemory(s *system, replier string, want int) (*memory, error) {
	m := &memory{want: want, system: s, least: want}
	for range 2 {
		conn, err := grpc.NewClient("passthrough:///"+replier, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return m, err
		}
		m.conns = append(m.conns, conn)
	}
	return m, nil
}

func (m *memory) close() {
	for _, c := range m.conns {
		c.Close()
	}
}

// remembered returns how many messages the replier knows at a time.
func (m *memory) remembered(now time.Time) (sum int) {
	for _, a := range m.answers {
		if now.Sub(a.at) < rememberFor {
			sum += a.count
		}
	}
	return sum
}

// fill has the replier answer messages, straight over gRPC, until it knows as many as it should or forgets as many as it
// learns.
func (m *memory) fill(ctx context.Context) error {
	const batch = 10_000
	for began := time.Now(); m.remembered(time.Now()) < m.want && time.Since(began) < rememberFor; {
		at := time.Now()
		if err := m.tell(ctx, min(batch, m.want)); err != nil {
			return fmt.Errorf("fill the memory: %w", err)
		}
		m.answers = append(m.answers, answers{at, min(batch, m.want)})
		m.system.clearLogs()
	}
	return nil
}

// tell has the replier answer so many messages.
func (m *memory) tell(ctx context.Context, count int) error {
	const callers = 64
	errs := make(chan error, callers)
	var working sync.WaitGroup
	for i := range callers {
		working.Go(func() {
			client := replierv1.NewReplierServiceClient(m.conns[i%len(m.conns)])
			for n := i; n < count; n += callers {
				_, msg := m.system.target.next()
				resp, err := client.Reply(ctx, &replierv1.ReplyRequest{Message: msg, MayDefer: true})
				if err == nil && resp.GetReply().GetText().GetContent() != msg.GetText().GetContent() {
					err = fmt.Errorf("the answer is not the echo of the message")
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	working.Wait()
	close(errs)
	return <-errs
}

// measured notes how many messages a round added, and how many were known at its end.
func (m *memory) measured(began time.Time, count int) {
	m.answers = append(m.answers, answers{began, count})
	m.least = min(m.least, m.remembered(time.Now()))
}
