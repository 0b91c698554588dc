// Package storetest runs NATS servers for tests.
package storetest

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"wxgate/internal/testaddr"
)

// VerifyTestMain is goleak's. It ignores a clock of the NATS server, which leaks if a stream is created while the server stops.
func VerifyTestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

// NATS is a server with JetStream, which can be stopped and started again.
type NATS struct {
	t    testing.TB
	port int
	dir  string
	stop func()
}

// StartServer runs a server on a free port until the test ends.
func StartServer(t testing.TB) *NATS {
	t.Helper()
	n := ReserveServer(t)
	n.StartAgain()
	return n
}

// ReserveServer returns a server that is not running yet.
func ReserveServer(t testing.TB) *NATS {
	t.Helper()
	port := netip.MustParseAddrPort(testaddr.Unused(t)).Port()
	return &NATS{t: t, port: int(port), dir: t.TempDir(), stop: func() {}}
}

// StartAgain starts the server, with the data of its last run.
func (n *NATS) StartAgain() {
	n.t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: n.port, NoSigs: true, JetStream: true, StoreDir: n.dir})
	if err != nil {
		n.t.Fatal(err)
	}
	ns.Start()
	n.stop = sync.OnceFunc(func() { ns.Shutdown(); ns.WaitForShutdown() })
	n.t.Cleanup(n.stop)
	if !ns.ReadyForConnections(20 * time.Second) {
		n.t.Fatal("no NATS server")
	}
}

// Stop stops the server.
func (n *NATS) Stop() { n.stop() }

// URL returns the server's host and port.
func (n *NATS) URL() string {
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.port}).String()
}
