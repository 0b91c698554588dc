package chaos

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"wxgate/test/testproc"
)

// TestChaosWire: bytes that are sent while the wire is cut arrive after it is repaired, and not before; a reset closes the connection.
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
	hears(old, fromOld, testproc.Patience, "one\n")
	w.cut()
	say(old, "two")
	young, fromYoung := dial()
	say(young, "three")
	hears(old, fromOld, 50*time.Millisecond, "")
	hears(young, fromYoung, 50*time.Millisecond, "")
	w.mend()
	hears(old, fromOld, testproc.Patience, "two\n")
	hears(young, fromYoung, testproc.Patience, "three\n")
	w.reset()
	say(old, "four")
	hears(old, fromOld, testproc.Patience, "")
	again, fromAgain := dial()
	say(again, "five")
	hears(again, fromAgain, testproc.Patience, "five\n")
}
