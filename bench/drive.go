package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
)

const (
	connections = 32
	patience    = 5 * time.Second // how long WeChat waits for an answer (platform page "消息推送")
)

// target is where callbacks go.
type target struct {
	addr     string
	accounts []*account
	check    func(a *account, m *wechatv1.Message, answer []byte) error
	numbers  *atomic.Int64 // of the messages: once-only must never find one that it knows
}

// connection is a keep-alive connection of a target.
type connection struct {
	net.Conn
	r *bufio.Reader
}

// connect opens the connections.
func (t *target) connect(ctx context.Context) ([]*connection, error) {
	all := make([]*connection, 0, connections)
	for range connections {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.addr)
		if err != nil {
			hangUp(all)
			return nil, err
		}
		all = append(all, &connection{c, bufio.NewReader(c)})
	}
	return all, nil
}

func hangUp(all []*connection) {
	for _, c := range all {
		c.Close()
	}
}

// next returns a message that none before is like, and its account.
func (t *target) next() (*account, *wechatv1.Message) {
	n := t.numbers.Add(1)
	a := t.accounts[n%int64(len(t.accounts))]
	return a, a.message(n)
}

// ask sends the next message on a connection and checks the answer.
func (t *target) ask(c *connection) error {
	a, m := t.next()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(a.callback(t.addr, m)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("got status %s", resp.Status)
	case resp.Close:
		return fmt.Errorf("the server closes the connection")
	}
	return t.check(a, m, answer)
}

// closed sends on all connections for so long, on each one message at least and the next as soon as the last is answered,
// and returns how many were. An answer that is wrong is an error.
func (t *target) closed(ctx context.Context, lasts time.Duration) (answered int, err error) {
	all, err := t.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer hangUp(all)
	ends := time.Now().Add(lasts)
	var count atomic.Int64
	err = onEach(all, func(c *connection) error {
		for {
			if err := t.ask(c); err != nil {
				return err
			}
			count.Add(1)
			if time.Now().After(ends) || ctx.Err() != nil {
				return ctx.Err()
			}
		}
	})
	return int(count.Load()), err
}

// open sends so many messages a second for so long, whatever comes back, and returns the latencies in order of size, each
// from the time at which its message was due: what waits for a free connection is not spared. late is in order of size
// too: how late this process was itself.
func (t *target) open(ctx context.Context, rate float64, lasts time.Duration) (latencies, late []time.Duration, err error) {
	all, err := t.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer hangUp(all)
	count := int(rate * lasts.Seconds())
	latencies, late = make([]time.Duration, count), make([]time.Duration, count)
	due := make(chan int, count)
	began := time.Now()
	at := func(n int) time.Time { return began.Add(time.Duration(float64(n) / rate * float64(time.Second))) }
	var pacing sync.WaitGroup
	pacing.Go(func() {
		defer close(due)
		for n := range count {
			for wait := time.Until(at(n)); wait > 0; wait = time.Until(at(n)) {
				sleep(wait)
			}
			if ctx.Err() != nil {
				return
			}
			late[n] = time.Since(at(n))
			due <- n
		}
	})
	err = onEach(all, func(c *connection) error {
		for n := range due {
			if err := t.ask(c); err != nil {
				return err
			}
			latencies[n] = time.Since(at(n))
		}
		return ctx.Err()
	})
	pacing.Wait()
	slices.Sort(latencies)
	slices.Sort(late)
	return latencies, late, err
}

// onEach has f work on every connection at once, and returns the first error.
func onEach(all []*connection, f func(*connection) error) error {
	errs := make(chan error, len(all))
	var working sync.WaitGroup
	for _, c := range all {
		working.Go(func() { errs <- f(c) })
	}
	working.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
