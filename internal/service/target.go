package service

import (
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
)

// Target is where a service of ours is reached. At most one field is set; none means that there is no such service.
type Target struct {
	Addr  string // gRPC target, such as dns:///replier:9001
	Local *GRPC  // its server, if it runs in this process
}

// IsSet reports whether there is such a service.
func (t Target) IsSet() bool { return t != Target{} }

// CheckTarget returns an error if target can never be reached as a gRPC target. gRPC itself would take an HTTP address, or a
// scheme that it does not know, for a host name.
func CheckTarget(target string) error {
	const expected = "expected one such as dns:///bot:9001"
	scheme, rest, hasScheme := strings.Cut(target, "://")
	switch scheme = strings.ToLower(scheme); {
	case hasScheme && (scheme == "http" || scheme == "https"):
		return fmt.Errorf("%q is an HTTP address, not a gRPC target: calls are made over gRPC; %s", target, expected)
	case hasScheme && resolver.Get(scheme) == nil:
		return fmt.Errorf("%q is not a gRPC target: the scheme %q is unknown; %s", target, scheme, expected)
	case strings.ContainsAny(target, " \t\n"), hasPath(scheme, rest, hasScheme):
		return fmt.Errorf("%q is not a gRPC target; %s", target, expected)
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials())) // does not connect
	if err != nil {
		return fmt.Errorf("%q is not a gRPC target; %s", target, expected)
	}
	return conn.Close()
}

// hasPath reports whether a target, cut at "://", has a path after host and port, as a URL may.
func hasPath(scheme, rest string, hasScheme bool) bool {
	switch {
	case !hasScheme:
		return strings.Contains(scheme, "/") && !strings.HasPrefix(scheme, "unix:")
	case scheme == "dns", scheme == "passthrough":
		_, endpoint, _ := strings.Cut(rest, "/")
		return strings.Contains(endpoint, "/")
	}
	return false
}
