package gateway

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	oauthrest "wxgate/internal/rest/oauth/v1"
	replierrest "wxgate/internal/rest/replier/v1"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
)

//go:embed openapi.swagger.json
var openAPI []byte

// Limits of a REST call.
const (
	restTimeout = 15 * time.Second
	maxRESTBody = 4 << 20
)

// internalHandler returns the routes of the internal address besides those of every process: the gRPC services as REST,
// their description, and traces. toOAuth and traces may be nil.
func internalHandler(toReplier, toOAuth grpc.ClientConnInterface, traces *traces) (http.Handler, error) {
	rest := runtime.NewServeMux(
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisablePathLengthFallback(), // else a form sent to a GET route would be a GET
		// No header of a REST call becomes gRPC metadata; the request's id goes its own way.
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}),
	)
	ctx := context.Background()
	errs := []error{
		replierrest.RegisterReplierServiceHandlerClient(ctx, rest, replierv1.NewReplierServiceClient(toReplier)),
		replierrest.RegisterRulesServiceHandlerClient(ctx, rest, replierv1.NewRulesServiceClient(toReplier)),
		replierrest.RegisterDeliveryServiceHandlerClient(ctx, rest, replierv1.NewDeliveryServiceClient(toReplier)),
	}
	if toOAuth != nil {
		errs = append(errs,
			oauthrest.RegisterOAuthServiceHandlerClient(ctx, rest, oauthv1.NewOAuthServiceClient(toOAuth)),
			oauthrest.RegisterAccountServiceHandlerClient(ctx, rest, oauthv1.NewAccountServiceClient(toOAuth)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("REST: %w", err)
	}
	mux := http.NewServeMux()
	limited := http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), restTimeout)
		defer cancel()
		rest.ServeHTTP(w, r.WithContext(ctx))
	}), maxRESTBody)
	mux.Handle("/v1/", limited)
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI)
	})
	if traces != nil {
		mux.HandleFunc("GET /debug/callbacks", traces.serve)
	}
	return mux, nil
}
