package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"wxgate/test/testproc"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsNodeEnv makes this test binary a server of a NATS cluster: its value is a natsNode.
const natsNodeEnv = "WXGATE_TEST_NATS_NODE"

// natsNode is a server of a NATS cluster, in a process of its own.
type natsNode struct {
	Name, Dir           string
	Port, Monitor, Peer int   // for clients, for /healthz, for the other servers
	Peers               []int // of all servers
}

func (n natsNode) addr() string { return "127.0.0.1:" + strconv.Itoa(n.Port) }

// runNATSNode is the process. It ends when it is killed.
func runNATSNode(config string) error {
	var n natsNode
	if err := json.Unmarshal([]byte(config), &n); err != nil {
		return err
	}
	opts := &server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Port, HTTPHost: "127.0.0.1", HTTPPort: n.Monitor, NoSigs: true, Logtime: true,
		JetStream: true, StoreDir: n.Dir, JetStreamMaxMemory: 256 << 20, JetStreamMaxStore: 2 << 30,
		// A client that was given proxies must not learn of the ways around them.
		Cluster: server.ClusterOpts{Name: "chaos", Host: "127.0.0.1", Port: n.Peer, NoAdvertise: true},
	}
	for _, peer := range n.Peers {
		opts.Routes = append(opts.Routes, server.RoutesFromStr(fmt.Sprintf("nats://127.0.0.1:%d", peer))...)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ) // a file that may not grow is an error, as on a full disk
	s.ConfigureLogger()
	s.Start()
	s.WaitForShutdown()
	return nil
}

// formed returns when the cluster makes streams of three replicas: a wxgate that opens its buckets before would make do
// with one.
func formed(ctx context.Context, nodes []natsNode) error {
	ctx, cancel := context.WithTimeout(ctx, 2*testproc.Patience)
	defer cancel()
	conn, err := nats.Connect(nodes[0].addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if found := conn.DiscoveredServers(); len(found) > 0 {
		return fmt.Errorf("the NATS cluster tells clients of ways around the proxies: %q", found)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	const name = "chaos_probe"
	for {
		limited, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := js.CreateOrUpdateStream(limited, jetstream.StreamConfig{Name: name, Subjects: []string{name}, Replicas: len(nodes), Storage: jetstream.MemoryStorage})
		if err == nil {
			_, err = js.Publish(limited, name, nil)
		}
		cancel()
		if err == nil {
			return js.DeleteStream(ctx, name)
		}
		if sleep(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("the NATS cluster takes no stream of %d replicas: %w", len(nodes), err)
		}
	}
}

// newNATSCluster describes a NATS cluster.
func newNATSCluster(t *testing.T, dir string, free *ports, size int) (nodes []natsNode, daemons []*daemon) {
	t.Helper()
	port := func() int {
		n, err := strconv.Atoi(free.take(t, "127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var peers []int
	for range size {
		peers = append(peers, port())
	}
	for i := range size {
		name := "nats-" + strconv.Itoa(i+1)
		n := natsNode{Name: name, Dir: filepath.Join(t.TempDir(), name), Port: port(), Monitor: port(), Peer: peers[i], Peers: peers}
		config, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t, dir, name, []string{natsNodeEnv + "=" + string(config)}, os.Args[0])
		d.url, d.ready = "http://127.0.0.1:"+strconv.Itoa(n.Monitor), "/healthz"
		nodes, daemons = append(nodes, n), append(daemons, d)
	}
	return nodes, daemons
}
