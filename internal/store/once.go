package store

import (
	"context"
	"fmt"
	"time"

	"wxgate/internal/service"
)

const (
	// MakeTime is how long Once gives its maker.
	MakeTime = 10 * time.Second
	// lockLife is how long a lock outlives a process that died with it.
	lockLife = MakeTime + 5*time.Second
	// lookAgain is how often one who waits for another process looks.
	lookAgain = 20 * time.Millisecond
)

// Once returns the value of a key. Where it is not there, or not fresh, one caller of all processes makes it, and the
// others get that; shared is false for that caller alone. If create fails, those who waited in the same process
// get its error, and another process tries itself. create goes on, for at most MakeTime, when its caller's ctx ends. What
// it made is not kept where the key was put or deleted meanwhile.
func (b *Bucket) Once(ctx context.Context, key string, fresh func(value []byte) bool, create func(ctx context.Context) ([]byte, error)) (value []byte, shared bool, err error) {
	if ctx.Err() != nil {
		return nil, true, ctx.Err()
	}
	for again := false; ; again = true {
		value, shared, err = b.join(ctx, key, fresh, create)
		// What one made who asked for less may not be fresh enough for this caller.
		if err != nil || !shared || again || fresh(value) {
			return value, shared, err
		}
	}
}

// join looks up the value of a key and makes it, or waits for the caller of this process who does: a crowd is one look.
func (b *Bucket) join(ctx context.Context, key string, fresh func([]byte) bool, create func(context.Context) ([]byte, error)) (value []byte, shared bool, err error) {
	type made struct {
		value []byte
		here  bool
	}
	mine := false
	done := b.once.DoChan(key, func() (any, error) {
		mine = true
		if !b.store.begin() {
			return made{}, fmt.Errorf("%w: it is closed", ErrAway)
		}
		defer b.store.running.Done()
		// Another process may have died with the lock just now.
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.store.lockLife+MakeTime)
		defer cancel()
		defer context.AfterFunc(b.store.ctx, cancel)()
		value, here, err := b.onceHere(own, key, fresh, create)
		return made{value, here}, err
	})
	select {
	case <-ctx.Done():
		return nil, true, ctx.Err()
	case r := <-done:
		m, _ := r.Val.(made)
		return m.value, !mine || !m.here, r.Err
	}
}

// onceHere is Once for one caller of a process; here is true if create was called.
func (b *Bucket) onceHere(ctx context.Context, key string, fresh func([]byte) bool, create func(context.Context) ([]byte, error)) (value []byte, here bool, err error) {
	locks, lock := b.store.locks, b.name+"-"+key
	for {
		value, ok, err := b.Get(ctx, key)
		if err != nil || ok && fresh(value) {
			return value, false, err
		}
		locked, err := locks.putAfter(ctx, lock, nil, 0)
		if err != nil {
			return nil, false, err
		}
		if locked != 0 {
			// Else it expires. It may be another's by then.
			defer func() { _ = locks.deleteAt(context.WithoutCancel(ctx), lock, locked) }()
			break
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
	// Another may have made it between the look and the lock.
	value, revision, err := b.look(ctx, key)
	if err != nil || revision != 0 && fresh(value) {
		return value, false, err
	}
	limited, cancel := context.WithTimeout(ctx, MakeTime)
	defer cancel()
	if value, err = guarded(limited, create); err != nil {
		return nil, true, err
	}
	// It is kept also where the store is about to close: it may be had only once.
	_, err = b.putAfter(context.WithoutCancel(ctx), key, value, revision)
	return value, true, err
}

// guarded turns a panic into an error: in this goroutine it would end the process.
func guarded(ctx context.Context, create func(context.Context) ([]byte, error)) (value []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = service.PanicError(p)
		}
	}()
	return create(ctx)
}
