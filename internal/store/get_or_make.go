package store

import (
	"context"
	"fmt"
	"time"

	"wxgate/internal/service"
)

const (
	// MakeTime is how long the function that GetOrMake calls may take.
	MakeTime = 10 * time.Second
	// lockLife is how long a lock outlives a process that died with it.
	lockLife = MakeTime + 5*time.Second
	// lookAgain is the time between two looks of a process that waits for another one's value.
	lookAgain = 20 * time.Millisecond
)

// GetOrMake returns the value of a key. If the key does not exist, or its value is not fresh, one caller of all processes calls
// create, and the others get its value; shared is false for that caller alone. If create fails, the callers who waited in the
// same process get its error, and another process calls its own create. create continues, for at most MakeTime, when its
// caller's ctx ends. Its value is not stored if the key was put or deleted in the meantime.
func (b *Bucket) GetOrMake(ctx context.Context, key string, fresh func(value []byte) bool, create func(ctx context.Context) ([]byte, error)) (value []byte, shared bool, err error) {
	if ctx.Err() != nil {
		return nil, true, ctx.Err()
	}
	for again := false; ; again = true {
		value, shared, err = b.makeOnce(ctx, key, fresh, create)
		// Another caller's fresh may have accepted a value that this caller's does not.
		if err != nil || !shared || again || fresh(value) {
			return value, shared, err
		}
	}
}

// makeOnce looks up or makes the value of a key, or waits for the caller of this process who does, so that many callers cause
// one lookup.
func (b *Bucket) makeOnce(ctx context.Context, key string, fresh func([]byte) bool, create func(context.Context) ([]byte, error)) (value []byte, shared bool, err error) {
	type made struct {
		value []byte
		here  bool
	}
	mine := false
	done := b.once.DoChan(key, func() (any, error) {
		mine = true
		if !b.store.beginMaking() {
			return made{}, fmt.Errorf("%w: it is closed", ErrUnavailable)
		}
		defer b.store.running.Done()
		// Another process may have died with the lock just now.
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.store.lockLife+MakeTime)
		defer cancel()
		defer context.AfterFunc(b.store.ctx, cancel)()
		value, here, err := b.makeLocked(own, key, fresh, create)
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

// makeLocked is GetOrMake for one caller of a process, under the lock of the key; here is true if create was called.
func (b *Bucket) makeLocked(ctx context.Context, key string, fresh func([]byte) bool, create func(context.Context) ([]byte, error)) (value []byte, here bool, err error) {
	locks, lock := b.store.locks, b.name+"-"+key
	for {
		value, ok, err := b.Get(ctx, key)
		if err != nil || ok && fresh(value) {
			return value, false, err
		}
		locked, err := locks.putIfRevision(ctx, lock, nil, 0)
		if err != nil {
			return nil, false, err
		}
		if locked != 0 {
			// If this fails, the lock expires. At another revision it is another process's lock.
			defer func() { _ = locks.deleteAt(context.WithoutCancel(ctx), lock, locked) }()
			break
		}
		if !service.SleepContext(ctx, lookAgain) {
			return nil, false, ctx.Err()
		}
	}
	// Another process may have made it between the lookup and the lock.
	value, revision, err := b.lookUp(ctx, key)
	if err != nil || revision != 0 && fresh(value) {
		return value, false, err
	}
	limited, cancel := context.WithTimeout(ctx, MakeTime)
	defer cancel()
	if value, err = service.CatchPanic(func() ([]byte, error) { return create(limited) }); err != nil {
		return nil, true, err
	}
	// The value is stored even if the store is about to close: it may be impossible to make it again.
	_, err = b.putIfRevision(context.WithoutCancel(ctx), key, value, revision)
	return value, true, err
}
