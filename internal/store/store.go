// Package store keeps values that must outlive a process or be shared by several: buckets and tables in NATS JetStream, in this
// process or in a cluster, by the same code. Replicas also exchange messages through it: see Publish and Request.
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

// Config says which store to open.
type Config struct {
	Env service.Env
	Dir string // a directory of this process alone; "": the values end with the process
	URL string // of a NATS cluster; several are separated by commas. Dir must be empty then

	// Patient lets Open succeed while the cluster is unreachable. The store then keeps connecting, and its operations fail with
	// ErrUnavailable until it is connected.
	Patient bool

	lockLife, openTimeout time.Duration // 0: the constants; tests set shorter ones
}

// Validate returns an error if the Config is invalid. The error does not show the URL, which may hold a password.
func (c Config) Validate() error {
	if c.Dir != "" && c.URL != "" {
		return service.BadSetting("data dir", "set besides --nats (WXGATE_NATS); set only one: the store is in this process or in the cluster")
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
			return service.BadSetting("nats", "expected URLs such as nats://user:password@host:4222, with commas between them")
		}
	}
	return nil
}

// Store is an open store.
type Store struct {
	env      service.Env
	js       jetstream.JetStream
	conn     *nats.Conn
	server   *embeddedServer // nil with a cluster
	memory   string          // the directory of a store in memory, removed at the end
	lock     *flock.Flock
	locks    *Bucket // nil until the first Bucket is opened
	lockLife time.Duration
	patience time.Duration // openTimeout
	patient  bool          // Config.Patient

	reconnected wakeup
	writes      writeHealth
	healing     healState

	mu      sync.Mutex      // held when ctx ends and when a maker begins
	ctx     context.Context // ends with the store
	stop    context.CancelFunc
	running sync.WaitGroup // calls of create in GetOrMake, and goroutines of the store
}

// openTimeout is how long opening a store may take, including the connection to a cluster.
const openTimeout = 10 * time.Second

// lookForCluster is the time between two attempts to reconnect to a cluster.
const lookForCluster = 500 * time.Millisecond

// Open opens the store. The error is one line that says what to do.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{env: cfg.Env, lockLife: cmp.Or(cfg.lockLife, lockLife), patience: cmp.Or(cfg.openTimeout, openTimeout), patient: cfg.Patient}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.connect(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) connect(cfg Config) error {
	var err error
	if cfg.URL != "" {
		if s.conn, err = nats.Connect(cfg.URL, nats.Name("wxgate"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(cfg.Patient),
			nats.ReconnectBufSize(-1), // a write that failed must not be sent later
			nats.ReconnectWait(lookForCluster), nats.Timeout(s.patience/2)); err != nil {
			return service.BadSetting("nats", "%s: %w", hostsOf(cfg.URL), err)
		}
	} else {
		if err := s.startEmbedded(cfg.Dir); err != nil {
			return err
		}
		if s.conn, err = nats.Connect("", nats.InProcessServer(s.server), nats.MaxReconnects(-1),
			nats.ReconnectBufSize(-1), nats.ReconnectWait(reopenWait), nats.ReconnectJitter(0, 0)); err != nil {
			return fmt.Errorf("the store in this process: %w", err)
		}
	}
	if !s.IsConnected() {
		s.env.Log.Warn("the NATS cluster is unreachable; connecting goes on, and operations that need it fail until then", "nats", hostsOf(cfg.URL), "error", s.conn.LastError())
	}
	s.writes.registerMetrics(cfg.Env, s.IsConnected)
	s.conn.SetReconnectHandler(func(*nats.Conn) { s.reconnected.wakeAll() }) // also after RetryOnFailedConnect
	if s.js, err = jetstream.New(s.conn); err != nil {
		return err
	}
	if !cfg.Patient {
		if err := s.openLocks(); err != nil {
			return err
		}
	}
	cfg.Env.Ready.AddNeighbour("store", func() error {
		if !s.IsConnected() {
			return errors.New(strings.ToLower(s.conn.Status().String()))
		}
		return nil
	})
	return nil
}

// hostsOf returns the hosts of a list of NATS URLs, without user and password.
func hostsOf(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		if at := strings.LastIndexByte(u, '@'); at >= 0 {
			list[i] = "nats://…" + u[at:]
		}
	}
	return strings.Join(list, ",")
}

// beginMaking adds a maker to running, for which Close waits; it reports false if the store is closed.
func (s *Store) beginMaking() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

// Close waits for running makers and closes the store. All values are on disk afterwards.
func (s *Store) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		if s.IsDurable() && s.conn != nil {
			s.server.noteInventory()
		}
		s.server.stopServer()
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

// IsConnected reports whether the store is reachable.
func (s *Store) IsConnected() bool { return s.conn.Status() == nats.CONNECTED }

// IsShared reports whether other processes can use the same store.
func (s *Store) IsShared() bool { return s.server == nil }

// MaxValue returns how many bytes a value may have, with room for its key; 0 while that is unknown.
func (s *Store) MaxValue() int {
	const keyAndHeaders = 1 << 10
	return max(0, int(s.conn.MaxPayload())-keyAndHeaders)
}

// IsDurable reports whether values outlive the process.
func (s *Store) IsDurable() bool { return s.memory == "" }
