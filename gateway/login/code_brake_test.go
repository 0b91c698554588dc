package login

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
)

func fromAddress(peer string, forwarded ...string) *http.Request {
	return &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": forwarded}}
}

func TestClientAddress(t *testing.T) {
	for _, tt := range []struct {
		peer      string
		forwarded []string
		want      string // "": not known
	}{
		{"203.0.113.7:1", nil, "203.0.113.7/32"},
		{"203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7/32"}, // a stranger says anything
		{"127.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1/32"},
		{"[::ffff:10.0.0.1]:1", []string{"203.0.113.7, 198.51.100.1"}, "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"203.0.113.7", "198.51.100.1, 10.0.0.2"}, "198.51.100.1/32"}, // two fronts
		{"[2001:db8:1:2:3::4]:1", nil, "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:1", []string{"2001:db8::1"}, "2001:db8::/64"},
		{"127.0.0.1:1", nil, ""},
		{"127.0.0.1:1", []string{"10.0.0.1, 192.168.0.1"}, ""},
		{"127.0.0.1:1", []string{"198.51.100.1, unknown"}, ""},
		{"127.0.0.1:1", []string{"198.51.100.1,"}, ""},
		{"@", []string{"198.51.100.1"}, ""},
	} {
		network, known := clientAddress(fromAddress(tt.peer, tt.forwarded...))
		if known != (tt.want != "") || known && network.String() != tt.want {
			t.Errorf("%s %q: %s, %v; want %q", tt.peer, tt.forwarded, network, known, tt.want)
		}
	}
}

func FuzzClientAddress(f *testing.F) {
	f.Add("127.0.0.1:1", "198.51.100.1, 10.0.0.2")
	f.Add("[::1]:1", "::ffff:1.2.3.4,,x")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		network, known := clientAddress(fromAddress(peer, forwarded))
		if known && (!network.IsValid() || isPrivate(network.Addr()) && network.Addr().Is4()) {
			t.Errorf("%q %q: %s", peer, forwarded, network)
		}
	})
}

// TestFindingsBrakeIsBounded: networks are braked one by one, for as long as they go on, in bounded memory.
func TestFindingsBrakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b codeBrake
		shared, other := fromAddress("203.0.113.7:1"), fromAddress("203.0.113.8:1")
		for range refusedAtOnce {
			if !b.isOpen(shared) {
				t.Fatal("braked too early")
			}
			b.countRefusal(shared)
		}
		if b.isOpen(shared) || !b.isOpen(other) || !b.isOpen(fromAddress("127.0.0.1:1")) {
			t.Error("not the network alone is braked")
		}
		for i := range 2 * maxBraked {
			b.countRefusal(fromAddress(netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String()))
		}
		if n := len(b.byNetwork); n > maxBraked {
			t.Errorf("%d networks are remembered, want at most %d", n, maxBraked)
		}
		b.countRefusal(shared)
		time.Sleep(time.Minute)
		if !b.isOpen(shared) {
			t.Error("a minute later: still braked")
		}
	})
}

// TestFindingsBogusCodesAreBraked: who brings many codes that WeChat refuses waits, before oauthsvc is asked; others do not.
func TestFindingsBogusCodesAreBraked(t *testing.T) {
	f, fake := start(t, nil)
	b := f.login(t, "?return_to=/shop")
	visit := func(code, address string) answer {
		return f.do(t, "GET", f.public+b.back(code), nil, header("X-Forwarded-For", address), func(r *http.Request) { r.AddCookie(b.cookie) })
	}
	fake.will("ExchangeCode", &service.RPCError{Code: codes.InvalidArgument, Reason: "CODE_INVALID", Message: "confide"})
	braked := 0
	for i := range 3 * refusedAtOnce {
		got := visit(fmt.Sprint("bogus", i), "198.51.100.1")
		page := f.visit(t, got.Header.Get("Location"))
		if page.Status == 429 {
			braked++
		} else if page.Status != 400 || braked > refusedAtOnce {
			t.Fatalf("visit %d: %d %s", i, page.Status, page.Body)
		}
	}
	if braked < refusedAtOnce {
		t.Errorf("%d of %d visits were braked", braked, 3*refusedAtOnce)
	}
	if calls := len(fake.made()) - 1; calls+braked != 3*refusedAtOnce {
		t.Errorf("oauthsvc was asked %d times, %d visits were braked", calls, braked)
	}
	fake.will("ExchangeCode", nil)
	for _, address := range []string{"198.51.100.2", "127.0.0.1"} {
		if got := visit(testCode, address); got.Header.Get("Location") != "/shop" {
			t.Errorf("%s: %d to %q", address, got.Status, got.Header.Get("Location"))
		}
	}
}
