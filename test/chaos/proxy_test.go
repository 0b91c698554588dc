package chaos

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// wire is the network of one process: what all proxies to and from it have in common. It passes bytes on, or none.
type wire struct {
	mu    sync.Mutex
	whole chan struct{} // closed while bytes pass
	conns map[*net.TCPConn]struct{}
	ended bool
}

func newWire(t *testing.T) *wire {
	w := &wire{whole: make(chan struct{}), conns: map[*net.TCPConn]struct{}{}}
	close(w.whole)
	t.Cleanup(w.end)
	return w
}

// cut lets nothing through, in neither direction, and tells nobody: connections stay open, new ones are accepted, the
// end of one is not passed on either.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.whole:
		w.whole = make(chan struct{})
	default:
	}
}

// mend lets bytes through again, first those that were held back, as TCP retransmits them.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.whole:
	default:
		close(w.whole)
	}
}

// reset breaks all connections.
func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		hangUp(c)
	}
}

// end breaks all connections, and those to come.
func (w *wire) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.reset()
	w.mend()
}

// wait returns when bytes pass.
func (w *wire) wait() {
	for {
		w.mu.Lock()
		whole := w.whole
		w.mu.Unlock()
		<-whole
		w.mu.Lock()
		same := w.whole == whole
		w.mu.Unlock()
		if same {
			return
		}
	}
}

// own takes a connection into account; false where the wire has ended.
func (w *wire) own(c *net.TCPConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	w.conns[c] = struct{}{}
	return true
}

func (w *wire) disown(c *net.TCPConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
	_ = c.Close()
}

// proxy listens at an address and passes connections on to another over the wire; it returns its own address.
func (w *wire) proxy(t *testing.T, listen, to string) string {
	t.Helper()
	lis, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	go func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			go w.pass(c.(*net.TCPConn), to)
		}
	}()
	return lis.Addr().String()
}

// pass serves one connection.
func (w *wire) pass(near *net.TCPConn, to string) {
	defer w.disown(near)
	if !w.own(near) {
		return
	}
	w.wait()
	c, err := net.DialTimeout("tcp", to, 2*time.Second)
	if err != nil {
		hangUp(near)
		return
	}
	far := c.(*net.TCPConn)
	defer w.disown(far)
	if !w.own(far) {
		return
	}
	back := make(chan struct{})
	go func() { defer close(back); w.copy(near, far) }()
	w.copy(far, near)
	<-back
}

// copy passes one direction on, to its end or its break.
func (w *wire) copy(dst, src *net.TCPConn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		w.wait()
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				hangUp(src)
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			_ = dst.CloseWrite()
			return
		default:
			hangUp(dst)
			return
		}
	}
}

// hangUp closes a connection as the kernel does where a process dies: the other side gets a reset.
func hangUp(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
