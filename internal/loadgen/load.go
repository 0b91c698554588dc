// Package loadgen is an open-loop load generator for gateways: it sends signed and sealed callbacks of many users at a
// steady rate, independent of the answers, and judges every answer as WeChat would.
//
// Each message has a due time, fixed before the run, and its latency counts from then. A stall of the gateway is therefore
// counted in full, with the messages that it delays (no "coordinated omission"). Connections are reused, unlike WeChat's, so
// that the gateway is measured and not the making of connections.
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

// The limits of a Config: for more, one process and one address are not enough.
const (
	maxRate     = 100_000
	maxDuration = 24 * time.Hour
	maxUsers    = 100_000_000
	maxInFlight = 50_000
)

// Config describes a load. Every setting but Account and Progress is the flag of its name.
type Config struct {
	URL        string         // the gateway's callback URL
	Account    sender.Account // signs and seals; its OriginalID is the ToUserName of messages
	Rate       float64        // messages per second
	Duration   time.Duration  // the time in which messages are due
	Users      int            // number of users, drawn at random for each message
	Mix        string         // kinds of message and their shares: "text=80,event=20"
	Duplicates float64        // percent of the messages that are sent twice at once
	InFlight   int            // the most requests at a time
	Echo       bool           // the reply to a text must repeat the text
	TestHosts  []string       // hosts, other than this machine, that may be loaded
	Anywhere   bool           // any host may be loaded

	// Progress, if not nil, is called every second until all messages are answered.
	Progress func(Progress)

	transport http.RoundTripper // a test's; nil: the network
}

// Validate returns all errors in the configuration.
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
	writer  *messageWriter
	sender  sender.Sender
	mode    sender.Mode
	client  *http.Client
	meter   *runMeter
	slots   chan struct{} // one for each request in flight
	flying  sync.WaitGroup
	began   time.Time
	blocked time.Time // the last time at which no slot was free

	duplicates int64
}

// New returns a Generator, or all errors in its configuration.
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
		cfg: cfg, writer: newMessageWriter(cfg, mix), client: client, mode: mode,
		sender: sender.Sender{URL: cfg.URL, Account: cfg.Account, Client: client},
		meter:  newMeter(cfg.Duration, cfg.Rate), slots: make(chan struct{}, cfg.InFlight),
	}, nil
}

// newClient returns a client that keeps a connection for each request in flight, and uses no proxy.
func newClient(cfg Config) *http.Client {
	client := &http.Client{Timeout: patience, Transport: cfg.transport}
	if cfg.transport == nil {
		protocols := &http.Protocols{}
		protocols.SetHTTP1(true) // as WeChat
		client.Transport = &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: cfg.InFlight, DisableCompression: true}
	}
	return client
}

// Run sends until the duration is over or ctx ends, waits at most 5 s for the remaining answers, and returns the report.
func (g *Generator) Run(ctx context.Context) *Report {
	g.began = time.Now()
	stop := g.watchProgress()
	finished := g.sendOnTime(ctx)
	period := g.cfg.Duration
	if !finished {
		period = time.Since(g.began)
	}
	g.flying.Wait()
	stop()
	g.client.CloseIdleConnections()
	return g.makeReport(period, !finished)
}

// sendOnTime sends each message when it is due. It returns false if ctx ended first.
func (g *Generator) sendOnTime(ctx context.Context) bool {
	sending := context.WithoutCancel(ctx) // messages that are sent are waited for
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
		g.meter.recordDelay(time.Since(laterOf(due, g.blocked)))
		m := g.writer.nextMessage(n, due)
		for i := range m.copies {
			if !g.sendBackground(ctx, sending, m) {
				return false
			}
			if i > 0 {
				g.duplicates++
			}
		}
	}
}

// laterOf returns the later of two times.
func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sendBackground sends a message in the background once a slot is free for it. If none is free within 5 s after the due time,
// the message fails as not sent. It returns false if ctx ended first.
func (g *Generator) sendBackground(ctx, sending context.Context, m *loadMessage) bool {
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
			g.meter.recordOutcome(m.due.Sub(g.began), time.Since(m.due), sendOutcome{failure: notSent, detail: fmt.Sprintf("%d requests were in flight for 5 s", g.cfg.InFlight)})
			return true
		case <-ctx.Done():
			return false
		}
	}
	g.flying.Go(func() {
		defer func() { <-g.slots }()
		r, err := g.sender.Send(sending, m.callback)
		latency := time.Since(m.due)
		g.meter.recordOutcome(m.due.Sub(g.began), latency, m.judgeAnswer(r, err, latency))
	})
	return true
}
