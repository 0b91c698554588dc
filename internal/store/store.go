// Package store keeps what must outlive a process or be one for several: key-value buckets in NATS JetStream, in this
// process or in a cluster, by the same code.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wxgate/internal/service"
)

// Config says where the store is.
type Config struct {
	Env service.Env
	Dir string // a directory of this process alone; "": memory, which ends with the process
	URL string // of a NATS cluster, or several with commas; then there is no Dir

	// Patient opens a store whose cluster is unreachable, and looks for it meanwhile. Until it is found, what is asked of the
	// store fails with ErrAway.
	Patient bool

	lockLife, openTimeout time.Duration // 0: the constants; tests have less time
}

// Validate returns what is wrong. It does not show the URL, which may hold a password.
func (c Config) Validate() error {
	if c.Dir != "" && c.URL != "" {
		return errors.New("--data-dir and --nats are both given; expected one: the store is here or in the cluster")
	}
	for text := range strings.SplitSeq(c.URL, ",") {
		if c.URL == "" {
			break
		}
		text = strings.TrimSpace(text)
		if !strings.Contains(text, "://") { // nats.go takes host:4222 too
			text = "nats://" + text
		}
		if u, err := url.Parse(text); err != nil || u.Hostname() == "" {
			return errors.New("--nats (WXGATE_NATS): expected URLs such as nats://user:password@host:4222, with commas between them")
		}
	}
	return nil
}

// Store is an open store.
type Store struct {
	env      service.Env
	js       jetstream.JetStream
	conn     *nats.Conn
	server   *embedded // nil with a cluster
	memory   string    // the directory of a store in memory, removed at the end
	lock     *flock.Flock
	locks    *Bucket // nil until the first Bucket is opened
	lockLife time.Duration
	patience time.Duration // openTimeout
	patient  bool          // Config.Patient

	reconnected bell
	writes      writes
	healing     healing

	mu      sync.Mutex      // between the end of ctx and the beginning of a maker
	ctx     context.Context // ends with the store
	stop    context.CancelFunc
	running sync.WaitGroup // makers of values
}

// openTimeout is how long a store may take to open, and a cluster to be found.
const openTimeout = 10 * time.Second

// lookForCluster is how often a cluster that went away is looked for.
const lookForCluster = 500 * time.Millisecond

// Open opens the store. The error is a line that says what to do.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{env: cfg.Env, lockLife: cmp.Or(cfg.lockLife, lockLife), patience: cmp.Or(cfg.openTimeout, openTimeout), patient: cfg.Patient}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.open(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(cfg Config) error {
	var err error
	if cfg.URL != "" {
		if s.conn, err = nats.Connect(cfg.URL, nats.Name("wxgate"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(cfg.Patient),
			nats.ReconnectBufSize(-1), // what failed is not done later
			nats.ReconnectWait(lookForCluster), nats.Timeout(s.patience/2)); err != nil {
			return fmt.Errorf("--nats: %s: %w", hosts(cfg.URL), err)
		}
	} else {
		if err := s.embed(cfg.Dir); err != nil {
			return err
		}
		if s.conn, err = nats.Connect("", nats.InProcessServer(s.server), nats.MaxReconnects(-1),
			nats.ReconnectBufSize(-1), nats.ReconnectWait(reopenWait), nats.ReconnectJitter(0, 0)); err != nil {
			return fmt.Errorf("the store in this process: %w", err)
		}
	}
	if !s.Connected() {
		s.env.Log.Warn("the NATS cluster is unreachable; it is looked for, and what needs it fails meanwhile", "nats", hosts(cfg.URL), "error", s.conn.LastError())
	}
	s.writes.observe(cfg.Env, s.Connected)
	s.conn.SetReconnectHandler(func(*nats.Conn) { s.reconnected.ring() }) // also after RetryOnFailedConnect
	if s.js, err = jetstream.New(s.conn); err != nil {
		return err
	}
	if !cfg.Patient {
		if err := s.openLocks(); err != nil {
			return err
		}
	}
	cfg.Env.Ready.Check("store", func() error {
		if !s.Connected() {
			return errors.New(strings.ToLower(s.conn.Status().String()))
		}
		return nil
	})
	return nil
}

// hosts returns the hosts of a list of NATS URLs, without user and password.
func hosts(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		if at := strings.LastIndexByte(u, '@'); at >= 0 {
			list[i] = "nats://…" + u[at:]
		}
	}
	return strings.Join(list, ",")
}

// begin counts a maker, for which Close waits; false where the store is closed.
func (s *Store) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

// Close ends the store, once what is being made has ended. What was put is on disk.
func (s *Store) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		if s.Durable() && s.conn != nil {
			s.server.noteInventory()
		}
		s.server.stop()
	}
	if s.lock != nil {
		_ = s.lock.Unlock()
	}
	if s.memory != "" {
		_ = os.RemoveAll(s.memory)
	}
}

// Serve keeps the store open until ctx ends.
func (s *Store) Serve(ctx context.Context) error {
	defer s.Close()
	<-ctx.Done()
	return nil
}

// Connected tells whether the store is there.
func (s *Store) Connected() bool { return s.conn.Status() == nats.CONNECTED }

// Shared tells whether other processes have the same store.
func (s *Store) Shared() bool { return s.server == nil }

// MaxValue returns how many bytes a value may have, less what its key takes; 0 while that is unknown.
func (s *Store) MaxValue() int {
	const keyAndHeaders = 1 << 10
	return max(0, int(s.conn.MaxPayload())-keyAndHeaders)
}

// Durable tells whether what is kept outlives the process.
func (s *Store) Durable() bool { return s.memory == "" }
