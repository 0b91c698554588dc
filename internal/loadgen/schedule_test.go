package loadgen

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/fakewechat/sender"
)

// roundTrip answers requests within the process.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func success() *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("success"))}
}

// wait waits as a request does.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A gateway that stands still from 1 s to 2 s costs the messages that are due then, however few requests may be in flight.
func TestLoadStall(t *testing.T) {
	for _, inFlight := range []int{5, 1000} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var flying, most atomic.Int64
			cfg := config("http://gateway.test/")
			cfg.Rate, cfg.Duration, cfg.InFlight = 100, 3*time.Second, inFlight
			cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				most.Store(max(most.Load(), flying.Add(1)))
				defer flying.Add(-1)
				if since := time.Since(began); since >= time.Second && since < 2*time.Second {
					return success(), wait(r.Context(), 2*time.Second-since)
				}
				return success(), nil
			})
			r := runLoad(t, cfg)
			if r.Failed != 0 || r.Messages != 300 {
				t.Fatalf("failures %+v of %d", r.Failures, r.Messages)
			}
			if most.Load() > int64(inFlight) {
				t.Errorf("%d requests in flight, %d are the most", most.Load(), inFlight)
			}
			// A third waited, from 1000 ms to 10 ms: 10 % of all over 700 ms.
			near := func(name string, got, want float64) {
				if got < want*0.97 || got > want*1.03 {
					t.Errorf("with %d in flight: %s %v, want about %v", inFlight, name, got, want)
				}
			}
			near("p90", r.Latency.P90, 710)
			near("p99", r.Latency.P99, 980)
			near("max", r.Latency.Max, 1000)
			if r.Latency.P50 > 1 || r.Behind.Max > 1 {
				t.Errorf("p50 %v, behind %v", r.Latency.P50, r.Behind.Max)
			}
			for _, w := range r.Windows {
				if stalled := w.From >= 1 && w.From < 2; stalled != (w.Max > 1) {
					t.Errorf("window from %v s: max %v", w.From, w.Max)
				}
			}
		})
	}
}

// The same over a real connection, where a busy machine makes latencies longer but not shorter.
func TestLoadStallOnTheNetwork(t *testing.T) {
	release := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(release) })
	srv := gateway(t, testAccount(sender.Plain), func(c got) string {
		<-release
		return c.Content
	})
	cfg := config(srv.URL)
	cfg.InFlight = 4
	r := runLoad(t, cfg)
	// All of the 200 were due within the second: half of them before its middle.
	if r.Failed != 0 || r.Latency.P50 < 450 || r.Latency.Max < 950 || r.Latency.P9999 < 950 {
		t.Errorf("failures %+v, latency %+v", r.Failures, r.Latency)
	}
}

func TestLoadNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://gateway.test/")
		cfg.Rate, cfg.Duration, cfg.InFlight = 10, 2*time.Second, 15
		cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, wait(r.Context(), time.Hour)
		})
		r := runLoad(t, cfg)
		// 15 are sent and time out. Of the 5 that wait for them, due from 1.5 s to 1.9 s, all are sent at 5 s and later.
		want := []Failure{{timeout, 20, nil}}
		got := []Failure{}
		for _, f := range r.Failures {
			got = append(got, Failure{f.Kind, f.Count, nil})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		if r.Late != 20 || r.Latency.P50 < 4990 || r.Latency.Max < 8000 || r.Throughput != 0 {
			t.Errorf("late %d, latency %+v, throughput %v", r.Late, r.Latency, r.Throughput)
		}
	})
}

func TestLoadNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://gateway.test/")
		cfg.Rate, cfg.Duration, cfg.InFlight = 10, time.Second, 2
		cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return success(), wait(r.Context(), 4*time.Second)
		})
		r := runLoad(t, cfg)
		// Two at a time: at 0 s, and at 4 s those that were due at 0.2 s and 0.3 s, which get their answers late. The other
		// six are given up 5 s after they were due.
		want := []Failure{{notSent, 6, []string{"2 requests were in flight for 5 s"}}, {late, 2, []string{"the answer came over 5 s after the message was due"}}}
		if diff := cmp.Diff(want, r.Failures); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		if r.Messages != 10 || r.Late != 8 || r.Accepted != 2 || r.Latency.Count != 10 || r.Answers["success"] != 4 {
			t.Errorf("report %+v", r)
		}
	})
}

func TestLoadInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config("http://gateway.test/")
		cfg.Duration = time.Hour
		cfg.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return success(), wait(r.Context(), time.Second)
		})
		g, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1999*time.Millisecond)
		defer cancel()
		r := g.Run(ctx)
		// What is in flight is answered, and is no failure.
		if !r.Interrupted || r.Messages != 400 || r.Failed != 0 || r.Accepted != 400 || r.Seconds > 2 || len(r.Windows) != 1 {
			t.Errorf("report %+v", r)
		}
	})
}
