package store

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"wxgate/internal/store/storetest"
	"wxgate/internal/testaddr"

	"github.com/nats-io/nats-server/v2/server"
)

func mustTable(t *testing.T, s *Store) *Table {
	t.Helper()
	table, err := s.Table(t.Context(), "records", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestTable: a record changes only from the state that was seen, lives as long as was said, and all changes are told.
func TestTable(t *testing.T) {
	for name, cfg := range map[string]Config{"memory": {}, "directory": {Dir: t.TempDir()}, "cluster": {URL: cluster(t)}} {
		t.Run(name, func(t *testing.T) {
			table := mustTable(t, open(t, cfg))
			ctx := t.Context()
			first, err := table.PutIfRevision(ctx, "k", []byte("1"), 0, 0)
			if err != nil || first == 0 {
				t.Fatalf("put: %d, %v", first, err)
			}
			if again, err := table.PutIfRevision(ctx, "k", []byte("2"), 0, 0); again != 0 || err != nil {
				t.Errorf("put what is there: %d, %v; want 0", again, err)
			}
			next, err := table.PutIfRevision(ctx, "k", []byte("2"), first, 0)
			if err != nil || next <= first {
				t.Errorf("put: %d, %v", next, err)
			}
			if late, err := table.PutIfRevision(ctx, "k", []byte("3"), first, 0); late != 0 || err != nil {
				t.Errorf("put from an old state: %d, %v; want 0", late, err)
			}
			if value, revision, err := table.Get(ctx, "k"); string(value) != "2" || revision != next || err != nil {
				t.Errorf("get: %q, %d, %v", value, revision, err)
			}
			if size, err := table.DiskSize(ctx); size == 0 || err != nil {
				t.Errorf("size: %d, %v", size, err)
			}

			// Who watches hears of all there is, and then of each change.
			var mu sync.Mutex
			heard, loads := map[string]string{}, 0
			watching, stop := context.WithCancel(ctx)
			done := make(chan struct{})
			go func() {
				defer close(done)
				table.Watch(watching, func(r Record) {
					mu.Lock()
					defer mu.Unlock()
					heard[r.Key] = string(r.Value)
					if r.Value == nil {
						heard[r.Key] = "deleted"
					}
				}, func() { mu.Lock(); defer mu.Unlock(); loads++ })
			}()
			hears := func(key, want string) {
				t.Helper()
				until(t, func() bool { mu.Lock(); defer mu.Unlock(); return heard[key] == want && loads > 0 })
			}
			hears("k", "2")
			if err := table.Put(ctx, "k", []byte("4")); err != nil {
				t.Fatal(err)
			}
			hears("k", "4")
			if err := table.Delete(ctx, "k"); err != nil {
				t.Fatal(err)
			}
			hears("k", "deleted")
			if _, err := table.PutIfRevision(ctx, "short", []byte("5"), 0, time.Second); err != nil {
				t.Fatal(err)
			}
			hears("short", "5")
			until(t, func() bool { _, revision, err := table.Get(ctx, "short"); return revision == 0 && err == nil })
			stop()
			<-done
		})
	}
}

// TestAsk: of all who are asked one yes is enough; without one the answer is no, at once where nobody is there.
func TestAsk(t *testing.T) {
	url := cluster(t)
	asker, knows, other := open(t, Config{URL: url}), open(t, Config{URL: url}), open(t, Config{URL: url})
	if yes, there, err := asker.Request(t.Context(), "known", []byte("a"), patience); yes || there || err != nil {
		t.Error("nobody said yes, and nobody is there")
	}
	says := func(question string) bool {
		yes, _, _ := asker.Request(t.Context(), "known", []byte(question), time.Second)
		return yes
	}
	for s, what := range map[*Store]string{knows: "a", other: "b"} {
		if err := s.Respond("known", func(question []byte) bool { return string(question) == what }); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool { return says("a") && says("b") }) // the servers hear of it
	if yes, there, err := asker.Request(t.Context(), "known", []byte("c"), 200*time.Millisecond); yes || !there || err != nil {
		t.Error("nobody knows it, and somebody is there")
	}
}

// TestAskAway: where the question may have gone nowhere, silence is no answer.
func TestAskAway(t *testing.T) {
	ns, stop := natsServer(t, server.RANDOM_PORT, t.TempDir())
	s := open(t, Config{URL: ns.ClientURL()})
	stop()
	if yes, there, err := s.Request(t.Context(), "known", []byte("a"), 100*time.Millisecond); yes || there || !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %t, %t, %v; want %v", yes, there, err, ErrUnavailable)
	}
}

// TestAskLate: a question that is on its way for long is waited for as long as another, from when it is there.
func TestAskLate(t *testing.T) {
	ns, _ := natsServer(t, server.RANDOM_PORT, t.TempDir())
	var held sync.Mutex // while it is, nothing goes to the server
	asker, knows := open(t, Config{URL: slowed(t, ns.Addr().String(), &held)}), open(t, Config{URL: ns.ClientURL()})
	const wait = 300 * time.Millisecond
	if err := knows.Respond("known", func([]byte) bool { time.Sleep(wait / 2); return true }); err != nil {
		t.Fatal(err)
	}
	if err := knows.Publish("nobody", nil); err != nil { // the server has heard of it
		t.Fatal(err)
	}
	held.Lock()
	time.AfterFunc(2*wait, held.Unlock)
	if yes, there, err := asker.Request(t.Context(), "known", []byte("a"), wait); !yes || !there || err != nil {
		t.Errorf("got %t, %t, %v; want a yes", yes, there, err)
	}
}

// slowed returns an address that leads to another, where nothing goes while held is.
func slowed(t *testing.T, to string, held *sync.Mutex) string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = lis.Close() })
	all.Go(func() {
		near, err := lis.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		all.Go(func() {
			_, _ = io.Copy(near, far)
			_ = near.Close()
		})
		buffer := make([]byte, 4096)
		for err == nil {
			var n int
			n, err = near.Read(buffer)
			held.Lock()
			_, _ = far.Write(buffer[:n])
			held.Unlock()
		}
		_ = far.Close()
	})
	return lis.Addr().String()
}

// TestFindingsBucketsWaitForTheCluster: buckets of a patient store are there as soon as their cluster is.
func TestFindingsBucketsWaitForTheCluster(t *testing.T) {
	t.Parallel()
	nats := storetest.ReserveServer(t)
	s := open(t, Config{URL: nats.URL(), Patient: true})
	b := s.mustBucket(t, time.Hour)
	if err := b.Put(t.Context(), "k", []byte("v")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("put while the cluster is unreachable: %v; want ErrUnavailable", err)
	}
	if _, _, err := b.Get(t.Context(), "k"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got while the cluster is unreachable: %v; want ErrUnavailable", err)
	}
	nats.StartAgain()
	until(t, func() bool { return b.Put(t.Context(), "k", []byte("v")) == nil })
	made := func(context.Context) ([]byte, error) { return []byte("made"), nil }
	if _, _, err := b.GetOrMake(t.Context(), "once", func([]byte) bool { return true }, made); err != nil {
		t.Errorf("locks: %v", err)
	}
}

// TestPatient: a store opens while its cluster is away, and is there when the cluster is.
func TestPatient(t *testing.T) {
	addr := testaddr.Unused(t)
	s := open(t, Config{URL: addr, Patient: true})
	if s.IsConnected() {
		t.Error("connected to nothing")
	}
	natsServer(t, int(netip.MustParseAddrPort(addr).Port()), t.TempDir())
	until(t, s.IsConnected)
	if !s.IsShared() {
		t.Error("a cluster is not shared")
	}
	s.mustBucket(t, time.Hour).mustPut(t, "k", "v")
}
