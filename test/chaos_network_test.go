package test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// TestChaosWire: what is said while the wire is cut arrives when it is mended, and not before; a reset breaks.
func TestChaosWire(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	go func() { // says each line back
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					fmt.Fprintln(c, lines.Text())
				}
			}()
		}
	}()
	w := newWire(t)
	addr := w.proxy(t, "127.0.0.1:0", lis.Addr().String())
	dial := func() (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, bufio.NewReader(c)
	}
	say := func(c net.Conn, text string) { fmt.Fprintln(c, text) }
	hears := func(c net.Conn, r *bufio.Reader, within time.Duration, want string) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(within))
		if got, err := r.ReadString('\n'); got != want {
			t.Errorf("heard %q, %v; want %q", got, err, want)
		}
	}
	old, fromOld := dial()
	say(old, "one")
	hears(old, fromOld, patience, "one\n")
	w.cut()
	say(old, "two")
	young, fromYoung := dial()
	say(young, "three")
	hears(old, fromOld, 50*time.Millisecond, "")
	hears(young, fromYoung, 50*time.Millisecond, "")
	w.mend()
	hears(old, fromOld, patience, "two\n")
	hears(young, fromYoung, patience, "three\n")
	w.reset()
	say(old, "four")
	hears(old, fromOld, patience, "")
	again, fromAgain := dial()
	say(again, "five")
	hears(again, fromAgain, patience, "five\n")
}

// TestChaosNames: a name has all its addresses, of IPv4 alone; others are unknown.
func TestChaosNames(t *testing.T) {
	addrs := addresses(replierHosts)
	s := &nameserver{names: map[string][]netip.Addr{replierName: addrs}}
	for _, c := range []struct {
		name string
		kind dnsmessage.Type
		code dnsmessage.RCode
		want []netip.Addr
	}{
		{replierName, dnsmessage.TypeA, dnsmessage.RCodeSuccess, addrs},
		{"Replier.Test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, addrs},
		{replierName, dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, nil},
		{"_grpc_config.replier.test.", dnsmessage.TypeTXT, dnsmessage.RCodeNameError, nil},
	} {
		ask := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: 7},
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(c.name), Type: c.kind, Class: dnsmessage.ClassINET}},
		}
		packet, err := ask.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var reply dnsmessage.Message
		if err := reply.Unpack(s.answer(packet)); err != nil {
			t.Fatal(err)
		}
		var got []netip.Addr
		for _, r := range reply.Answers {
			got = append(got, netip.AddrFrom4(r.Body.(*dnsmessage.AResource).A))
		}
		if reply.ID != 7 || !reply.Response || reply.RCode != c.code || !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v, %v; want %v, %v", c.name, c.kind, reply.RCode, got, c.code, c.want)
		}
	}
	if s.answer([]byte("no packet")) != nil {
		t.Error("what is no question has an answer")
	}
}
