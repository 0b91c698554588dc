package chaos

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// chaos is how a run goes; see CONTRIBUTING.md.
type chaos struct {
	seed     uint64
	lasts    time.Duration // 0: one round of disasters
	messages int           // at least; 0: as many as come in that time
	rate     float64       // messages a second
	dir      string        // of the logs
}

// chaosOf reads the environment.
func chaosOf(t *testing.T) chaos {
	t.Helper()
	get := func(name string, parse func(string) error) {
		if text := os.Getenv(name); text != "" {
			if err := parse(text); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	c := chaos{seed: 1, rate: 60, dir: os.Getenv("WXGATE_CHAOS_DIR")}
	get("WXGATE_CHAOS", func(s string) (err error) { c.lasts, err = time.ParseDuration(s); return err })
	if c.lasts > 0 {
		c.seed = rand.Uint64()
	}
	get("WXGATE_CHAOS_MESSAGES", func(s string) (err error) { c.messages, err = strconv.Atoi(s); return err })
	get("WXGATE_CHAOS_SEED", func(s string) (err error) { c.seed, err = strconv.ParseUint(s, 10, 64); return err })
	if c.lasts > 0 && c.messages > 0 {
		c.rate = float64(c.messages) / c.lasts.Seconds()
	}
	if c.dir == "" {
		c.dir = t.TempDir()
	} else if err := os.MkdirAll(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestChaos: while processes die, freeze, are cut off and restart under load, each message is answered once and in time.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	if runtime.GOOS != "linux" {
		t.Skip("needs addresses such as 127.0.1.1")
	}
	cfg := chaosOf(t)
	t.Logf("seed %d, %.0f messages a second, logs in %s", cfg.seed, cfg.rate, cfg.dir)
	ctx, cancel := context.WithTimeout(t.Context(), cfg.lasts+4*time.Minute)
	defer cancel()
	l := newLoad(cfg.rate)
	if cfg.lasts > 0 {
		l.long = 0.05
	}
	c := startCluster(ctx, t, cfg.dir, l.onSent)
	l.use(c.gateways)
	processes, err := bills(ctx, c.services())
	if err != nil {
		t.Fatal(err)
	}

	struck, took := c.endure(ctx, t, cfg, l)
	c.settle(ctx, t, l)
	notSent, err := c.unsent(ctx)
	if err != nil {
		t.Error(err)
	}
	l.client.CloseIdleConnections()
	for i, d := range c.services() {
		if err := processes[i].close(ctx, d); err != nil {
			t.Error(err)
		}
	}

	r := judge(l.all(), notSent)
	r.Seed, r.Seconds, r.Disasters, r.Processes = cfg.seed, took.Seconds(), struck, processes
	r.Duplicates, r.Reconnects = int(l.duplicates.Load()), int(l.reconnects.Load())
	r.Behind = time.Duration(l.behind.Load()).Milliseconds()
	r.AskedAgain = c.bot.again()
	l.mu.Lock()
	r.Strays = len(l.strays)
	l.mu.Unlock()
	t.Log(r)
	for _, fault := range r.faults() {
		t.Error(fault)
	}
	for _, d := range c.all() {
		if ending := d.surprise(); ending != "" {
			t.Errorf("%s ended by itself: %s", d.name, ending)
		}
		d.clean(t)
	}
	if t.Failed() || r.Exceptions > 0 {
		c.explain(t, r, notSent)
	}
}

// endure lets disasters happen under load, and returns when both are over.
func (c *cluster) endure(ctx context.Context, t *testing.T, cfg chaos, l *load) (struck int, took time.Duration) {
	t.Helper()
	began := time.Now()
	over := make(chan error, 1)
	var calm atomic.Bool // the disasters are over
	go func() {
		enough := func(sent int) bool { return calm.Load() && sent >= cfg.messages }
		over <- l.run(ctx, rand.New(rand.NewPCG(cfg.seed, 1)), enough)
	}()
	struck, err := c.wreck(ctx, rand.New(rand.NewPCG(cfg.seed, 2)), func() bool { return time.Since(began) >= cfg.lasts }, t.Logf)
	if err != nil {
		t.Error(err)
	}
	if err := sleep(ctx, time.Second); err != nil { // a last look at a healed cluster
		t.Error(err)
	}
	calm.Store(true)
	took = time.Since(began)
	if err := <-over; err != nil {
		t.Error(err)
	}
	return struck, took
}

// settleTime is how long what is stored may take to reach its user, once all is healed.
const settleTime = 2 * longTime * time.Second

// settle waits until no answer is to come any more, or settleTime is over.
func (c *cluster) settle(ctx context.Context, t *testing.T, l *load) {
	t.Helper()
	deadline := time.Now().Add(settleTime)
	for {
		open, err := c.deliveries(ctx, pending)
		if errors.Is(err, errNoDeliveries) {
			t.Error(err)
			return
		}
		if err == nil && len(open) == 0 {
			break // who has no answer now gets none
		}
		if time.Now().After(deadline) {
			t.Errorf("%v after all is healed %d messages are not answered; deliveries to be made: %d, %v", settleTime, len(l.open()), len(open), err)
			return
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			t.Error(err)
			return
		}
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // time for an answer too many
		t.Error(err)
	}
}

// explain tells what is known of bad ends and exceptions.
func (c *cluster) explain(t *testing.T, r *report, notSent map[string]delivery) {
	t.Helper()
	const most = 3 // of each fate
	fates := map[fate]int{}
	for _, m := range r.bad {
		f := m.fate()
		if fates[f]++; fates[f] <= most {
			t.Logf("%v; delivery: %+v\n%s", m, notSent[m.id], trace(t, c.all(), m.id, notSent[m.id].ID))
		}
	}
	t.Logf("bad fates: %+v", fates)
	for _, odd := range [][]delivery{r.uncertain, r.ghosts} {
		for _, d := range odd[:min(most, len(odd))] {
			t.Logf("delivery: %+v\n%s", d, trace(t, c.all(), cmp.Or(d.MsgID, d.ID), d.ID))
		}
	}
	states := map[string]int{}
	for _, d := range notSent {
		states[d.State]++
	}
	t.Logf("deliveries by state: %v", states)
}
