package oauthsvc

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store"
	oauthv1 "wxgate/proto/oauth/v1"
)

// vault keeps values of accounts in a bucket of the store, by the account's AppID: its name may change. They are encrypted with
// a key made from the account's AppSecret: all replicas have it, and nobody else has. After a new AppSecret values of before are
// read as long as the previous one is known; without it they are lost as if they had expired.
type vault[T any] struct {
	name   string
	bucket *store.Bucket
}

// openVault opens a vault whose values are forgotten after a time, and earlier if they have more than maxBytes; 0: no bound.
func openVault[T any](s *store.Store, name string, life time.Duration, maxBytes int64) (vault[T], error) {
	bucket, err := s.BoundedBucket("oauth_"+name, life, maxBytes)
	return vault[T]{name, bucket}, err
}

// keyOf stands for a value of an account, such as a code, which is not kept itself.
func keyOf(a accounts.Account, value string) string {
	sum := sha256.Sum256([]byte(a.AppID + "\x00" + value))
	return hex.EncodeToString(sum[:])
}

// get returns the value of an id; ok is false where there is none.
func (v vault[T]) get(ctx context.Context, a accounts.Account, id string) (value T, ok bool, err error) {
	key := keyOf(a, id)
	sealed, ok, err := v.bucket.Get(ctx, key)
	if ok && err == nil {
		value, ok = v.open(a, key, sealed)
	}
	return value, ok, err
}

// put sets the value of an id.
func (v vault[T]) put(ctx context.Context, a accounts.Account, id string, value T) error {
	key := keyOf(a, id)
	return v.bucket.Put(ctx, key, v.seal(a, key, value))
}

// forget removes the value of an id.
func (v vault[T]) forget(ctx context.Context, a accounts.Account, id string) error {
	return v.bucket.Delete(ctx, keyOf(a, id))
}

// forgetIf removes the value of an id where it is the one meant.
func (v vault[T]) forgetIf(ctx context.Context, a accounts.Account, id string, meant func(T) bool) error {
	key := keyOf(a, id)
	return v.bucket.DeleteIf(ctx, key, func(sealed []byte) bool {
		value, ok := v.open(a, key, sealed)
		return ok && meant(value)
	})
}

// once returns the value of an id, which one caller of all processes makes if it is missing or not fresh.
func (v vault[T]) once(ctx context.Context, a accounts.Account, id string, fresh func(T) bool, create func(context.Context) (T, error)) (value T, shared bool, err error) {
	key := keyOf(a, id)
	sealed, shared, err := v.bucket.Once(ctx, key,
		func(sealed []byte) bool {
			value, ok := v.open(a, key, sealed)
			return ok && fresh(value)
		},
		func(ctx context.Context) ([]byte, error) {
			value, err := create(ctx)
			if err != nil {
				return nil, err
			}
			return v.seal(a, key, value), nil
		})
	if err != nil {
		return value, shared, err
	}
	value, ok := v.open(a, key, sealed)
	if !ok {
		return value, shared, errOtherSecret
	}
	return value, shared, nil
}

var errOtherSecret = errors.New("the AppSecret changed while a value was made")

// aead returns the cipher of values that were kept with an AppSecret.
func (v vault[T]) aead(appSecret service.Secret) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(appSecret.Reveal()), nil, "wxgate oauthsvc "+v.name, 32)
	if err != nil {
		panic(err) // only a length beyond 8160 bytes fails
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants
	}
	return aead
}

func (v vault[T]) seal(a accounts.Account, key string, value T) []byte {
	plain, err := json.Marshal(value)
	if err != nil {
		panic(err) // the types kept are made of texts and numbers
	}
	aead := v.aead(a.AppSecret)
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, []byte(key))
}

// open reports false for what was sealed with an AppSecret that is not known.
func (v vault[T]) open(a accounts.Account, key string, sealed []byte) (value T, ok bool) {
	value, ok = v.openWith(a.AppSecret, key, sealed)
	if !ok && a.PreviousAppSecret != "" {
		value, ok = v.openWith(a.PreviousAppSecret, key, sealed)
	}
	return value, ok
}

func (v vault[T]) openWith(appSecret service.Secret, key string, sealed []byte) (value T, ok bool) {
	aead := v.aead(appSecret)
	if len(sealed) < aead.NonceSize() {
		return value, false
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(key))
	return value, err == nil && json.Unmarshal(plain, &value) == nil
}

// failed returns why something kept could not be had: a failure of WeChat's call, or of the store.
func failed(ctx context.Context, err error) *failure {
	var f *failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, store.ErrAway): // before its own deadline is taken for WeChat's
		return &failure{code: codes.Unavailable, reason: oauthv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE,
			message: "where tokens are kept cannot be reached; try again, and see this service's log", cause: err}
	case errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled):
		return canceled()
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut(err)
	}
	return &failure{code: codes.Internal, message: "internal error", cause: err}
}

// Error implements error, so that a failure can be the end of making a value.
func (f *failure) Error() string { return f.message }
