package testproc

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Nameserver is a DNS server of names that have several addresses, which /etc/hosts and 127.0.0.1 can't give.
type Nameserver struct {
	addr string // of UDP

	mu    sync.Mutex
	names map[string][]netip.Addr // IPv4, by name with a dot behind
}

// Set changes the addresses of a name.
func (s *Nameserver) Set(name string, addrs ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = addrs
}

// StartNameserver serves names until the test ends.
func StartNameserver(t *testing.T, names map[string][]netip.Addr) *Nameserver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := &Nameserver{addr: conn.LocalAddr().String(), names: names}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := s.answer(buf[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return s
}

// Target is the gRPC target of all addresses of a name.
func (s *Nameserver) Target(name, port string) string {
	return "dns://" + s.addr + "/" + name + ":" + port
}

// answer returns the packet for a question, nil for what is none.
func (s *Nameserver) answer(packet []byte) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil || header.Response {
		return nil
	}
	question, err := p.Question()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	addrs, known := s.names[strings.ToLower(question.Name.String())]
	s.mu.Unlock()
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired},
		Questions: []dnsmessage.Question{question},
	}
	switch {
	case !known:
		reply.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		for _, a := range addrs {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1},
				Body:   &dnsmessage.AResource{A: a.As4()},
			})
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}
