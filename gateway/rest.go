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

// internalHandler returns the gateway's own routes on the internal address: the gRPC services as REST, their description, and the
// debug view. toOAuth and kept may be nil.
func internalHandler(toReplier, toOAuth grpc.ClientConnInterface, kept *traceLog) (http.Handler, error) {
	rest := runtime.NewServeMux(
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisablePathLengthFallback(), // else a form that is posted to a GET route would count as a GET
		// Headers of REST calls do not become gRPC metadata. The request id is passed on by the interceptors.
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
	if kept != nil {
		mux.HandleFunc("GET /debug/callbacks", kept.serveTraces)
	}
	return mux, nil
}
