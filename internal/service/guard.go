package service

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
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

// GuardFlags are the settings that decide which callers may use gRPC and internal addresses.
type GuardFlags struct {
	InternalKey Secret `name:"internal-key" env:"WXGATE_INTERNAL_KEY" placeholder:"KEY,…" help:"Key that callers of gRPC and internal addresses must send, at least 32 characters. If several are given, all are accepted and the first is sent."`
	TLSFlags
}

// Guard authenticates the callers of the gRPC and internal addresses of a process, and the process's own clients to other
// services. A nil Guard lets every caller in and sends nothing.
type Guard struct {
	keys     []guardKey   // all are accepted, the first is sent; empty: no key is required
	identity *tlsIdentity // nil: no TLS
}

type guardKey struct {
	secret Secret
	digest [sha256.Size]byte
}

// minInternalKey is the length of the shortest key allowed, in characters.
const minInternalKey = 32

// WithGuard returns env with the Guard that the settings ask for, if any. The error lists everything that is wrong, and shows
// no key.
func (f GuardFlags) WithGuard(env Env) (Env, error) {
	keys, keysErr := f.parseKeys()
	identity, tlsErr := f.openIdentity(env.Log)
	if err := errors.Join(keysErr, tlsErr); err != nil {
		return env, err
	}
	if identity != nil {
		identity.registerChecks(env)
	}
	if len(keys) > 0 || identity != nil {
		env.Guard = &Guard{keys: keys, identity: identity}
	}
	return env, nil
}

func (f GuardFlags) parseKeys() (keys []guardKey, err error) {
	if f.InternalKey == "" {
		return nil, nil
	}
	var errs []error
	for i, key := range strings.Split(f.InternalKey.Reveal(), ",") {
		key = strings.TrimSpace(key)
		switch {
		case len(key) < minInternalKey:
			errs = append(errs, BadSetting("internal key", "key %d has %d characters; expected at least %d; openssl rand -hex 32 makes one", i+1, len(key), minInternalKey))
		case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
			errs = append(errs, BadSetting("internal key", "key %d has a character that an HTTP header cannot carry; expected printable ASCII without spaces", i+1))
		}
		keys = append(keys, guardKey{Secret(key), sha256.Sum256([]byte(key))})
	}
	return keys, errors.Join(errs...)
}

// fingerprint identifies a key in the log: eight hex digits of its SHA-256.
func (k guardKey) fingerprint() string { return hex.EncodeToString(k.digest[:4]) }

// The reasons to reject a caller without a valid key. Only the log shows them.
var (
	errNoKey      = errors.New("no key")
	errKeys       = errors.New("more than one authorization")
	errNoBearer   = errors.New("an authorization that is not a bearer key")
	errUnknownKey = errors.New("an unknown key")
)

// keyRequired is the message that such a caller gets.
const keyRequired = "expected authorization: Bearer and a key of --internal-key"

// checkAuthorization returns the name of the key in a caller's authorization headers, or "" if no key is required. The error
// is the reason to reject the caller.
func (g *Guard) checkAuthorization(headers []string) (name string, err error) {
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
	for _, key := range g.keys { // all of them, so that the time does not depend on the key
		if subtle.ConstantTimeCompare(digest[:], key.digest[:]) == 1 {
			name = "key:" + key.fingerprint()
		}
	}
	if name == "" {
		return "", errUnknownKey
	}
	return name, nil
}

// openRPC is the prefix of the methods that need no key: a health check reveals no secret, and probes have no key.
var openRPC = "/" + healthv1.Health_ServiceDesc.ServiceName + "/"

// authRPC accepts gRPC calls with a valid key and calls within the process; others get UNAUTHENTICATED.
func (g *Guard) authRPC(ctx context.Context) (context.Context, error) {
	if g == nil || len(g.keys) == 0 || isInProcess(ctx) {
		return ctx, nil
	}
	if method, _ := grpc.Method(ctx); strings.HasPrefix(method, openRPC) {
		return ctx, nil
	}
	name, err := g.checkAuthorization(metadata.ValueFromIncomingContext(ctx, "authorization"))
	if err != nil {
		return nil, &RPCError{Code: codes.Unauthenticated, Message: keyRequired, Cause: err}
	}
	LineOf(ctx).identify(name)
	return ctx, nil
}

// authHTTP accepts HTTP requests with a valid key; others get 401, in the same form as the other errors of REST.
func (g *Guard) authHTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := LineOf(r.Context())
		name, err := g.checkAuthorization(r.Header.Values("Authorization"))
		if err != nil {
			line.Add(slog.String("cause", err.Error()))
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":16,"message":"`+keyRequired+`","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UNAUTHENTICATED","domain":"`+errorDomain+`","metadata":{}}]}`)
			return
		}
		line.identify(name)
		r.Header.Del("Authorization") // it was meant for this server: grpc-gateway would forward it
		next.ServeHTTP(w, r)
	})
}

// transportCredentials returns the credentials of gRPC connections, for servers and clients.
func (g *Guard) transportCredentials() credentials.TransportCredentials {
	if g == nil || g.identity == nil {
		return insecure.NewCredentials()
	}
	return g.identity.transportCredentials()
}

// dialOptions returns the options that make a client send the key and the certificate.
func (g *Guard) dialOptions() []grpc.DialOption {
	options := []grpc.DialOption{grpc.WithTransportCredentials(g.transportCredentials())}
	if g != nil && len(g.keys) > 0 {
		options = append(options, grpc.WithPerRPCCredentials(bearerKey{g.keys[0].secret}))
	}
	return options
}

// bearerKey is a key that a client sends with every call.
type bearerKey struct{ key Secret }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearerKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.key.Reveal()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. In a private network a key may be used without TLS.
func (b bearerKey) RequireTransportSecurity() bool { return false }
