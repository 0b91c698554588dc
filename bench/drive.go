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

// callbackTarget is the receiver of callbacks.
type callbackTarget struct {
	addr     string
	accounts []*benchAccount
	check    func(a *benchAccount, m *wechatv1.Message, answer []byte) error
	numbers  *atomic.Int64 // of messages: each is new, so that no gateway takes it for a retry
}

// keptConnection is a keep-alive connection of a target.
type keptConnection struct {
	net.Conn
	r *bufio.Reader
}

// openConnections opens the connections.
func (t *callbackTarget) openConnections(ctx context.Context) ([]*keptConnection, error) {
	all := make([]*keptConnection, 0, connections)
	for range connections {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.addr)
		if err != nil {
			hangUp(all)
			return nil, err
		}
		all = append(all, &keptConnection{c, bufio.NewReader(c)})
	}
	return all, nil
}

func hangUp(all []*keptConnection) {
	for _, c := range all {
		c.Close()
	}
}

// nextMessage returns a new message, and its account.
func (t *callbackTarget) nextMessage() (*benchAccount, *wechatv1.Message) {
	n := t.numbers.Add(1)
	a := t.accounts[n%int64(len(t.accounts))]
	return a, a.newMessage(n)
}

// sendNext sends the next message on a connection and checks the answer.
func (t *callbackTarget) sendNext(c *keptConnection) error {
	a, m := t.nextMessage()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(a.callbackRequest(t.addr, m)); err != nil {
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

// sendClosed sends on all connections for a time: on each at least one message, and the next as soon as the last is answered.
// It returns the number of answers. A wrong answer is an error.
func (t *callbackTarget) sendClosed(ctx context.Context, lasts time.Duration) (answered int, err error) {
	all, err := t.openConnections(ctx)
	if err != nil {
		return 0, err
	}
	defer hangUp(all)
	ends := time.Now().Add(lasts)
	var count atomic.Int64
	err = onEach(all, func(c *keptConnection) error {
		for {
			if err := t.sendNext(c); err != nil {
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

// sendOpen sends at a rate for a time, independent of the answers. It returns the latencies in ascending order, each from its
// message's due time, so that waiting for a free connection counts. late is the delay of this process itself, in ascending
// order too.
func (t *callbackTarget) sendOpen(ctx context.Context, rate float64, lasts time.Duration) (latencies, late []time.Duration, err error) {
	all, err := t.openConnections(ctx)
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
				sleepFor(wait)
			}
			if ctx.Err() != nil {
				return
			}
			late[n] = time.Since(at(n))
			due <- n
		}
	})
	err = onEach(all, func(c *keptConnection) error {
		for n := range due {
			if err := t.sendNext(c); err != nil {
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

// onEach runs f on every connection at once, and returns the first error.
func onEach(all []*keptConnection, f func(*keptConnection) error) error {
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
