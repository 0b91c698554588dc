// Package loadgen is an open-loop load generator for gateways: it sends signed and sealed callbacks of many users at a
// steady rate, whatever comes back, and judges every answer as WeChat would.
//
// Each message has a time at which it is due, fixed before anything is sent, and its latency counts from then. A gateway
// that stands still is so not spared: what it keeps from being sent counts as waiting too (no "coordinated omission").
// It uses connections again, which WeChat does not always do: what is measured is a gateway, not the making of
// connections.
package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"wxgate/fakewechat/sender"
)

// patience is how long WeChat waits for an answer (platform page "消息推送").
const patience = 5 * time.Second

// The most that a Config may ask for: beyond it one process and one address are not enough.
const (
	maxRate     = 100_000
	maxDuration = 24 * time.Hour
	maxUsers    = 100_000_000
	maxInFlight = 50_000
)

// Config says what is sent where. Every setting but Account and Progress is the flag of its name.
type Config struct {
	URL        string         // the gateway's callback URL
	Account    sender.Account // signs and seals; its OriginalID is who messages are for
	Rate       float64        // messages a second
	Duration   time.Duration  // within which messages are due
	Users      int            // who write, by chance
	Mix        string         // kinds of message and their shares: "text=80,event=20"
	Duplicates float64        // percent of the messages that are sent twice at once
	InFlight   int            // the most requests at a time
	Echo       bool           // a text that answers a text must be the same
	TestHosts  []string       // hosts that may be loaded besides this machine
	Anywhere   bool           // any host may be loaded

	// Progress, where not nil, is called every second until all is answered.
	Progress func(Progress)

	transport http.RoundTripper // a test's; nil: the network
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	_, mixErr := parseMix(c.Mix)
	errs := []error{c.validateTarget(), mixErr}
	within := func(flag string, value, least, most float64) {
		if !(value >= least && value <= most) { // NaN is not either
			errs = append(errs, fmt.Errorf("--%s: %v; expected a number from %v to %.0f", flag, value, least, most))
		}
	}
	within("rate", c.Rate, 0.01, maxRate)
	within("users", float64(c.Users), 1, maxUsers)
	within("duplicates", c.Duplicates, 0, 100)
	within("in-flight", float64(c.InFlight), 1, maxInFlight)
	if c.Duration <= 0 || c.Duration > maxDuration {
		errs = append(errs, fmt.Errorf("--duration: %s; expected more than 0s and at most %s", c.Duration, maxDuration))
	}
	if _, err := c.Account.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("--mode, --aes-key, --app-id: %w", err))
	}
	return errors.Join(errs...)
}

// Generator sends the load of one Config, once.
type Generator struct {
	cfg     Config
	writer  *writer
	sender  sender.Sender
	mode    sender.Mode
	client  *http.Client
	meter   *meter
	slots   chan struct{} // one for each request in flight
	flying  sync.WaitGroup
	began   time.Time
	blocked time.Time // until when no slot was free

	duplicates int64
}

// New returns a Generator, or everything that is wrong with its configuration.
func New(cfg Config) (*Generator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	mix, err := parseMix(cfg.Mix)
	if err != nil {
		return nil, err
	}
	mode, err := cfg.Account.Validate()
	if err != nil {
		return nil, err
	}
	client := newClient(cfg)
	return &Generator{
		cfg: cfg, writer: newWriter(cfg, mix), client: client, mode: mode,
		sender: sender.Sender{URL: cfg.URL, Account: cfg.Account, Client: client},
		meter:  newMeter(cfg.Duration, cfg.Rate), slots: make(chan struct{}, cfg.InFlight),
	}, nil
}

// newClient returns a client that keeps a connection for each request in flight, and asks no proxy.
func newClient(cfg Config) *http.Client {
	client := &http.Client{Timeout: patience, Transport: cfg.transport}
	if cfg.transport == nil {
		protocols := &http.Protocols{}
		protocols.SetHTTP1(true) // as WeChat
		client.Transport = &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: cfg.InFlight, DisableCompression: true}
	}
	return client
}

// Run sends until the duration is over or ctx ends, waits for the answers to what is sent, 5 s at most, and reports.
func (g *Generator) Run(ctx context.Context) *Report {
	g.began = time.Now()
	stop := g.watch()
	finished := g.schedule(ctx)
	period := g.cfg.Duration
	if !finished {
		period = time.Since(g.began)
	}
	g.flying.Wait()
	stop()
	g.client.CloseIdleConnections()
	return g.report(period, !finished)
}

// schedule sends each message when it is due, and returns false where ctx ended first.
func (g *Generator) schedule(ctx context.Context) bool {
	sending := context.WithoutCancel(ctx) // what is sent is waited for
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for n := 0; ; n++ {
		after := time.Duration(float64(n) * float64(time.Second) / g.cfg.Rate)
		if after >= g.cfg.Duration {
			return true
		}
		due := g.began.Add(after)
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return false
			case <-timer.C:
			}
		}
		if ctx.Err() != nil {
			return false
		}
		g.meter.sentBehind(time.Since(later(due, g.blocked)))
		m := g.writer.next(n, due)
		for i := range m.copies {
			if !g.launch(ctx, sending, m) {
				return false
			}
			if i > 0 {
				g.duplicates++
			}
		}
	}
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// launch sends a message in the background once a slot is free for it, and gives it up where none is in time. It returns
// false where ctx ended first.
func (g *Generator) launch(ctx, sending context.Context, m *message) bool {
	select {
	case g.slots <- struct{}{}:
	default:
		giveUp := time.NewTimer(time.Until(m.due.Add(patience)))
		defer giveUp.Stop()
		select {
		case g.slots <- struct{}{}:
			g.blocked = time.Now()
		case <-giveUp.C:
			g.blocked = time.Now()
			g.meter.record(m.due.Sub(g.began), time.Since(m.due), outcome{failure: notSent, detail: fmt.Sprintf("%d requests were in flight for 5 s", g.cfg.InFlight)})
			return true
		case <-ctx.Done():
			return false
		}
	}
	g.flying.Go(func() {
		defer func() { <-g.slots }()
		r, err := g.sender.Send(sending, m.callback)
		latency := time.Since(m.due)
		g.meter.record(m.due.Sub(g.began), latency, m.judge(r, err, latency))
	})
	return true
}
