package replier

import (
	"time"

	"google.golang.org/grpc"
)

// neighbourName returns the name of a bot in /readyz, metrics and errors.
func neighbourName(target string) string { return "forward " + target }

// connectBots connects to the bots of the rules, before a message needs them, and leaves those that no rule names any more: they
// would be dialled for ever, and listed as unreachable.
func (b *botClients) connectBots(current *ruleSets) {
	needed := map[string]bool{}
	for _, e := range current.allSets() {
		for _, target := range e.rules.Targets() {
			needed[target] = true
			_, _ = b.dialBot(target) // the loader has checked it
		}
	}
	b.leaveUnneeded(needed)
}

// leaveUnneeded closes the connections that are not needed, when no call can use them any more.
func (b *botClients) leaveUnneeded(needed map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for target, conn := range b.conns {
		if needed[target] {
			continue
		}
		delete(b.conns, target)
		b.env.Ready.RemoveNeighbour(neighbourName(target))
		if b.left == nil {
			b.left = map[*grpc.ClientConn]bool{}
		}
		b.left[conn] = true
		time.AfterFunc(jobLife, func() { b.closeLeft(conn) })
	}
}

// closeLeft closes a connection that was left, unless closeAll did.
func (b *botClients) closeLeft(conn *grpc.ClientConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left[conn] {
		delete(b.left, conn)
		_ = conn.Close()
	}
}

// closeAll closes all connections.
func (b *botClients) closeAll() {
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
