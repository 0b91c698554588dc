package wechatapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// probes are the probes of hosts, which answer as the test says.
type probes struct {
	asked   []string
	broken  map[string]bool
	hanging bool
}

func (p *probes) probe(ctx context.Context, base string) error {
	p.asked = append(p.asked, base)
	if p.hanging {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.broken[base] {
		return errors.New("broken")
	}
	return nil
}

// TestFindingsLeftHostIsProbed: calls go to the next host until a probe in the background, one at a time, says that the first
// one works again.
func TestFindingsLeftHostIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probes{broken: map[string]bool{"a": true}}
		h := newHosts([]string{"a/", "b"}, p.probe, func(error) {})
		defer h.close()
		picks := func(want string, probed ...string) {
			t.Helper()
			for range 3 { // at once: they cause one probe at most
				if got := h.pickHost(); got != want {
					t.Errorf("picked %s, want %s", got, want)
				}
			}
			synctest.Wait()
			if diff := cmp.Diff(probed, p.asked); diff != "" {
				t.Errorf("probed (-want +got):\n%s", diff)
			}
			p.asked = nil
		}
		picks("a")
		h.markFailed("a", errors.New("reset"))
		picks("b")
		time.Sleep(leaveFor - time.Second)
		picks("b")
		time.Sleep(time.Second)
		picks("b", "a") // still broken
		time.Sleep(leaveFor - time.Second)
		picks("b")
		p.hanging = true
		time.Sleep(time.Second)
		picks("b", "a")
		time.Sleep(callTimeout - time.Second)
		picks("b") // the probe hangs: there is no second one
		time.Sleep(time.Second)
		p.hanging, p.broken = false, nil
		time.Sleep(leaveFor)
		picks("b", "a") // works
		picks("a")
	})
}

// TestAllHostsAreLeft: then the one that failed longest ago is asked, and one that answers is taken back.
func TestAllHostsAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		h := newHosts([]string{"a", "b", "c"}, (&probes{}).probe, func(err error) {
			reports = append(reports, map[bool]string{true: "fine"}[err == nil])
			if err != nil {
				reports[len(reports)-1] = err.Error()
			}
		})
		defer h.close()
		var got []string
		fails := func(base string) {
			h.markFailed(base, errors.New("reset"))
			got = append(got, h.pickHost())
			time.Sleep(time.Second)
		}
		fails("a")
		fails("b")
		fails("c")
		fails("a")
		h.markWorking("b")
		got = append(got, h.pickHost())
		if diff := cmp.Diff([]string{"b", "c", "a", "b", "b"}, got); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
		h.markWorking("c")
		h.markWorking("a")
		if diff := cmp.Diff([]string{"a: reset", "b: reset", "c: reset", "a: reset", "a: reset", "a: reset", "fine"}, reports); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
	})
}

// TestOnlyHost: there is nothing to leave it for.
func TestOnlyHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probes{}
		h := newHosts([]string{"a"}, p.probe, func(error) {})
		defer h.close()
		h.markFailed("a", errors.New("reset"))
		time.Sleep(leaveFor)
		if got := h.pickHost(); got != "a" || p.asked != nil {
			t.Errorf("picked %s, probed %v; want a, and no probe", got, p.asked)
		}
	})
}
