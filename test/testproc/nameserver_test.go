package testproc

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// TestNameserver: a name has all its addresses, of IPv4 alone; others are unknown.
func TestNameserver(t *testing.T) {
	const replierName = "replier.test."
	addrs := []netip.Addr{netip.MustParseAddr("127.0.1.1"), netip.MustParseAddr("127.0.1.2")}
	s := &Nameserver{names: map[string][]netip.Addr{replierName: addrs}}
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
