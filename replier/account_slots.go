package replier

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// accountSlots are slots for what is done at a time, so many for each account: no account waits for another. It is safe for
// concurrent use.
type accountSlots struct {
	most int64 // of an account

	mu      sync.Mutex
	byNames map[string]*slots // of the accounts that use some
}

// slots are those of one account.
type slots struct {
	free  *semaphore.Weighted
	users int // who has or awaits one; under accountSlots' lock
}

func newAccountSlots(most int64) *accountSlots {
	return &accountSlots{most: most, byNames: map[string]*slots{}}
}

// acquire waits for a slot of an account, which release gives back. The error is the context's.
func (a *accountSlots) acquire(ctx context.Context, account string) (release func(), err error) {
	own := a.join(account)
	if err := own.free.Acquire(ctx, 1); err != nil {
		a.leave(account, own)
		return nil, err
	}
	return func() {
		own.free.Release(1)
		a.leave(account, own)
	}, nil
}

func (a *accountSlots) join(account string) *slots {
	a.mu.Lock()
	defer a.mu.Unlock()
	own := a.byNames[account]
	if own == nil {
		own = &slots{free: semaphore.NewWeighted(a.most)}
		a.byNames[account] = own
	}
	own.users++
	return own
}

func (a *accountSlots) leave(account string, own *slots) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(a.byNames, account)
	}
}
