package service

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// GuardFlags are the settings of who may ask at gRPC and internal addresses.
type GuardFlags struct {
	InternalKey Secret `name:"internal-key" env:"WXGATE_INTERNAL_KEY" placeholder:"KEY,…" help:"Key that callers of gRPC and internal addresses must show, at least 32 characters. Of several, all are accepted and the first is sent."`
	TLSFlags
}

// Guard decides who may ask at the gRPC and internal addresses of a process, and shows its clients' own key and
// certificate. A nil Guard lets everybody in and shows nothing.
type Guard struct {
	keys     []guardKey // all are accepted, the first is sent; empty: none is demanded
	identity *identity  // nil: no TLS
}

type guardKey struct {
	secret Secret
	digest [sha256.Size]byte
}

// minInternalKey is the shortest key, in characters.
const minInternalKey = 32

// Guarded returns env with the Guard that is set, if any. The error has everything that is wrong, and no key.
func (f GuardFlags) Guarded(env Env) (Env, error) {
	keys, keysErr := f.keys()
	identity, tlsErr := f.open(env.Log)
	if err := errors.Join(keysErr, tlsErr); err != nil {
		return env, err
	}
	if identity != nil {
		identity.report(env)
	}
	if len(keys) > 0 || identity != nil {
		env.Guard = &Guard{keys: keys, identity: identity}
	}
	return env, nil
}

func (f GuardFlags) keys() (keys []guardKey, err error) {
	if f.InternalKey == "" {
		return nil, nil
	}
	var errs []error
	for i, key := range strings.Split(f.InternalKey.Reveal(), ",") {
		key = strings.TrimSpace(key)
		switch {
		case len(key) < minInternalKey:
			errs = append(errs, fmt.Errorf("--internal-key: key %d has %d characters; expected at least %d, such as openssl rand -hex 32 makes", i+1, len(key), minInternalKey))
		case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
			errs = append(errs, fmt.Errorf("--internal-key: key %d has a character that a header can't carry; expected letters, digits and signs of ASCII, without spaces", i+1))
		}
		keys = append(keys, guardKey{Secret(key), sha256.Sum256([]byte(key))})
	}
	return keys, errors.Join(errs...)
}

// fingerprint tells keys apart in a log: eight hex digits of the key's SHA-256.
func (k guardKey) fingerprint() string { return hex.EncodeToString(k.digest[:4]) }

// Why a caller without a good key is refused: for the log alone.
var (
	errNoKey      = errors.New("no key")
	errKeys       = errors.New("more than one authorization")
	errNoBearer   = errors.New("an authorization that is no bearer key")
	errUnknownKey = errors.New("a key that is not ours")
)

// wanted is what such a caller is told.
const wanted = "expected authorization: Bearer and a key of --internal-key"

// check returns who a caller is by its authorization headers, "" where no key is demanded; else why it is refused.
func (g *Guard) check(headers []string) (name string, err error) {
	if g == nil || len(g.keys) == 0 {
		return "", nil
	}
	switch len(headers) {
	case 0:
		return "", errNoKey
	case 1:
	default:
		return "", errKeys
	}
	scheme, shown, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errNoBearer
	}
	digest := sha256.Sum256([]byte(strings.TrimSpace(shown)))
	for _, key := range g.keys { // all of them, so that the time tells nothing
		if subtle.ConstantTimeCompare(digest[:], key.digest[:]) == 1 {
			name = "key:" + key.fingerprint()
		}
	}
	if name == "" {
		return "", errUnknownKey
	}
	return name, nil
}

// openRPC begins the methods that need no key: a health check tells no secret, and who probes has none.
var openRPC = "/" + healthv1.Health_ServiceDesc.ServiceName + "/"

// admit lets in gRPC calls with a key, and those of its own process; others get UNAUTHENTICATED.
func (g *Guard) admit(ctx context.Context) (context.Context, error) {
	if g == nil || len(g.keys) == 0 || within(ctx) {
		return ctx, nil
	}
	if method, _ := grpc.Method(ctx); strings.HasPrefix(method, openRPC) {
		return ctx, nil
	}
	name, err := g.check(metadata.ValueFromIncomingContext(ctx, "authorization"))
	if err != nil {
		return nil, &RPCError{Code: codes.Unauthenticated, Message: wanted, Cause: err}
	}
	LineOf(ctx).showed(name)
	return ctx, nil
}

// demand lets in HTTP requests with a key; those without get 401, in the form of other errors of REST.
func (g *Guard) demand(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := LineOf(r.Context())
		name, err := g.check(r.Header.Values("Authorization"))
		if err != nil {
			line.Add(slog.String("cause", err.Error()))
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":16,"message":"`+wanted+`","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UNAUTHENTICATED","domain":"`+errorDomain+`","metadata":{}}]}`)
			return
		}
		line.showed(name)
		r.Header.Del("Authorization") // it was for us: grpc-gateway would hand it on
		next.ServeHTTP(w, r)
	})
}

// credentials are those of gRPC connections, of servers and of clients.
func (g *Guard) credentials() credentials.TransportCredentials {
	if g == nil || g.identity == nil {
		return insecure.NewCredentials()
	}
	return g.identity.credentials()
}

// dialOptions make a client show key and certificate.
func (g *Guard) dialOptions() []grpc.DialOption {
	options := []grpc.DialOption{grpc.WithTransportCredentials(g.credentials())}
	if g != nil && len(g.keys) > 0 {
		options = append(options, grpc.WithPerRPCCredentials(bearer{g.keys[0].secret}))
	}
	return options
}

// bearer sends a key with every call.
type bearer struct{ key Secret }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.key.Reveal()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: in a private network a key may do without TLS.
func (b bearer) RequireTransportSecurity() bool { return false }
