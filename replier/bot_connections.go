package replier

import (
	"time"

	"google.golang.org/grpc"
)

// neighbourName is what a bot is called in /readyz, metrics and errors.
func neighbourName(target string) string { return "forward " + target }

// connect makes the connections that the rules need, before a message needs them, and leaves the bots that no rule names any
// more: they are not dialled for ever, nor listed as unreachable.
func (b *bots) connect(current *book) {
	needed := map[string]bool{}
	for _, e := range current.editions() {
		for _, target := range e.rules.Targets() {
			needed[target] = true
			_, _ = b.dial(target) // the loader has checked it
		}
	}
	b.leave(needed)
}

// leave closes the connections that are not needed, once no call can use them any more.
func (b *bots) leave(needed map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for target, conn := range b.conns {
		if needed[target] {
			continue
		}
		delete(b.conns, target)
		b.env.Ready.Remove(neighbourName(target))
		if b.left == nil {
			b.left = map[*grpc.ClientConn]bool{}
		}
		b.left[conn] = true
		time.AfterFunc(runLife, func() { b.closeLeft(conn) })
	}
}

func (b *bots) closeLeft(conn *grpc.ClientConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left[conn] {
		delete(b.left, conn)
		_ = conn.Close()
	}
}

// close gives the connections back.
func (b *bots) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.conns {
		_ = conn.Close()
	}
	for conn := range b.left {
		_ = conn.Close()
	}
	b.conns, b.left = nil, nil
}
