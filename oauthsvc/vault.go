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

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store"
)

// vault keeps values of accounts in a bucket of the store, by the account's AppID, because its name may change. The values are
// encrypted with a key made from the AppSecret, which only the replicas have. After a change of the AppSecret older values can
// be read as long as the previous AppSecret is known; without it they are lost, as if they had expired.
type vault[T any] struct {
	name   string
	bucket *store.Bucket
}

// openVault opens a vault whose values expire after life, and the oldest earlier if all have more than maxBytes; 0: no bound.
func openVault[T any](s *store.Store, name string, life time.Duration, maxBytes int64) (vault[T], error) {
	bucket, err := s.BoundedBucket("oauth_"+name, life, maxBytes)
	return vault[T]{name, bucket}, err
}

// keyOf returns a key that stands for a value of an account, such as a code, without showing it.
func keyOf(a accounts.Account, value string) string {
	sum := sha256.Sum256([]byte(a.AppID + "\x00" + value))
	return hex.EncodeToString(sum[:])
}

// get returns the value of an id; ok is false if it is missing.
func (v vault[T]) get(ctx context.Context, a accounts.Account, id string) (value T, ok bool, err error) {
	key := keyOf(a, id)
	sealed, ok, err := v.bucket.Get(ctx, key)
	if ok && err == nil {
		value, ok = v.decrypt(a, key, sealed)
	}
	return value, ok, err
}

// put sets the value of an id.
func (v vault[T]) put(ctx context.Context, a accounts.Account, id string, value T) error {
	key := keyOf(a, id)
	return v.bucket.Put(ctx, key, v.encrypt(a, key, value))
}

// forget removes the value of an id.
func (v vault[T]) forget(ctx context.Context, a accounts.Account, id string) error {
	return v.bucket.Delete(ctx, keyOf(a, id))
}

// forgetIf removes the value of an id if match is true for it.
func (v vault[T]) forgetIf(ctx context.Context, a accounts.Account, id string, match func(T) bool) error {
	key := keyOf(a, id)
	return v.bucket.DeleteIf(ctx, key, func(sealed []byte) bool {
		value, ok := v.decrypt(a, key, sealed)
		return ok && match(value)
	})
}

// getOrMake returns the value of an id. If it is missing or not fresh, one caller of all processes makes it; shared is true for
// the others.
func (v vault[T]) getOrMake(ctx context.Context, a accounts.Account, id string, isFresh func(T) bool, create func(context.Context) (T, error)) (value T, shared bool, err error) {
	key := keyOf(a, id)
	sealed, shared, err := v.bucket.GetOrMake(ctx, key,
		func(sealed []byte) bool {
			value, ok := v.decrypt(a, key, sealed)
			return ok && isFresh(value)
		},
		func(ctx context.Context) ([]byte, error) {
			value, err := create(ctx)
			if err != nil {
				return nil, err
			}
			return v.encrypt(a, key, value), nil
		})
	if err != nil {
		return value, shared, err
	}
	value, ok := v.decrypt(a, key, sealed)
	if !ok {
		return value, shared, errOtherSecret
	}
	return value, shared, nil
}

var errOtherSecret = errors.New("the AppSecret changed while a value was made")

// newCipher returns the cipher of values that were encrypted with a key made from an AppSecret.
func (v vault[T]) newCipher(appSecret service.Secret) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(appSecret.Reveal()), nil, "wxgate oauthsvc "+v.name, 32)
	if err != nil {
		panic(err) // only a length over 8160 bytes fails
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM requires
	}
	return aead
}

func (v vault[T]) encrypt(a accounts.Account, key string, value T) []byte {
	plain, err := json.Marshal(value)
	if err != nil {
		panic(err) // the values consist of texts and numbers
	}
	aead := v.newCipher(a.AppSecret)
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, []byte(key))
}

// decrypt reports false for a value that was encrypted with an unknown AppSecret.
func (v vault[T]) decrypt(a accounts.Account, key string, sealed []byte) (value T, ok bool) {
	value, ok = v.decryptWith(a.AppSecret, key, sealed)
	if !ok && a.PreviousAppSecret != "" {
		value, ok = v.decryptWith(a.PreviousAppSecret, key, sealed)
	}
	return value, ok
}

func (v vault[T]) decryptWith(appSecret service.Secret, key string, sealed []byte) (value T, ok bool) {
	aead := v.newCipher(appSecret)
	if len(sealed) < aead.NonceSize() {
		return value, false
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(key))
	return value, err == nil && json.Unmarshal(plain, &value) == nil
}
