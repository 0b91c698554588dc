// Package testaddr finds addresses for tests.
package testaddr

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Unused returns a loopback address where nobody listens, and nobody will by chance: systems take the ports of "127.0.0.1:0"
// and of connections from a range above it.
func Unused(t testing.TB) string {
	t.Helper()
	for range 100 {
		lis, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err == nil {
			_ = lis.Close()
			return lis.Addr().String()
		}
	}
	t.Fatal("no unused port between 20000 and 29999")
	return ""
}
