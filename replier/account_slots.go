package replier

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// accountSlots bounds the work that is done at a time for each account, so that no account waits for another. It is safe for
// concurrent use.
type accountSlots struct {
	perAccount int64 // slots

	mu        sync.Mutex
	byAccount map[string]*slotsOfOne // only accounts that use some
}

// slotsOfOne are the slots of one account.
type slotsOfOne struct {
	free  *semaphore.Weighted
	users int // holders and waiters; guarded by accountSlots' lock
}

func newAccountSlots(perAccount int64) *accountSlots {
	return &accountSlots{perAccount: perAccount, byAccount: map[string]*slotsOfOne{}}
}

// acquireSlot waits for a slot of an account, which release gives back. The error is the context's.
func (a *accountSlots) acquireSlot(ctx context.Context, account string) (release func(), err error) {
	own := a.joinAccount(account)
	if err := own.free.Acquire(ctx, 1); err != nil {
		a.leaveAccount(account, own)
		return nil, err
	}
	return func() {
		own.free.Release(1)
		a.leaveAccount(account, own)
	}, nil
}

func (a *accountSlots) joinAccount(account string) *slotsOfOne {
	a.mu.Lock()
	defer a.mu.Unlock()
	own := a.byAccount[account]
	if own == nil {
		own = &slotsOfOne{free: semaphore.NewWeighted(a.perAccount)}
		a.byAccount[account] = own
	}
	own.users++
	return own
}

func (a *accountSlots) leaveAccount(account string, own *slotsOfOne) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(a.byAccount, account)
	}
}
