package test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/oauthsvc"
	"wxgate/replier"
)

// cannotFail are the methods that no request makes fail.
var cannotFail = []string{"grpc.health.v1.Health.List", "replier.v1.RulesService.GetRules"}

// TestErrorsHaveReasons: each method of each service refuses a bad request, and a caller without a key, with code, message and
// reason.
func TestErrorsHaveReasons(t *testing.T) {
	open := service.NewEnv(slog.New(slog.DiscardHandler))
	guarded, err := service.GuardFlags{InternalKey: "0123456789abcdef0123456789abcdef"}.WithGuard(service.NewEnv(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	for access, env := range map[string]service.Env{"bad request": open, "no key": guarded} {
		for _, server := range startServices(t, env) {
			conn, err := grpc.NewClient(server.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			for name, info := range server.GetServiceInfo() {
				for _, method := range info.Methods {
					if strings.HasPrefix(name, "grpc.reflection.") || method.IsServerStream || slices.Contains(cannotFail, name+"."+method.Name) {
						continue
					}
					t.Run(access+" "+name+"."+method.Name, func(t *testing.T) { expectReason(t, conn, name, method.Name) })
				}
			}
		}
	}
}

// startServices runs a replier and an oauthsvc.
func startServices(t *testing.T, env service.Env) (servers []*service.GRPC) {
	t.Helper()
	toReplier, replierErr := replier.Config{Env: env.ForService("replier"), Listen: "127.0.0.1:0"}.Complete()
	single := accounts.Account{Name: accounts.DefaultName, AppID: "wx0123456789abcdef", AppSecret: "secret"}
	toOAuth, oauthErr := oauthsvc.Config{Env: env.ForService("oauthsvc"), Listen: "127.0.0.1:0", Accounts: accounts.Source{List: []accounts.Account{single}},
		APIURL: "https://api.wechat.invalid", OpenURL: "https://open.wechat.invalid"}.Complete()
	if err := errors.Join(replierErr, oauthErr); err != nil {
		t.Fatal(err)
	}
	bot, err := replier.New(toReplier)
	if err != nil {
		t.Fatal(err)
	}
	wechat, err := oauthsvc.New(toOAuth)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []interface {
		GRPC() *service.GRPC
		Serve(context.Context) error
	}{bot, wechat} {
		servers = append(servers, server.GRPC())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- server.Serve(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
	return servers
}

// expectReason calls a method with a request of wrong fields.
func expectReason(t *testing.T, conn *grpc.ClientConn, service, method string) {
	t.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	if err != nil {
		t.Fatal(err)
	}
	of := found.(protoreflect.MethodDescriptor)
	req := dynamicpb.NewMessage(of.Input())
	for i := range of.Input().Fields().Len() {
		switch field := of.Input().Fields().Get(i); {
		case field.IsList() || field.IsMap():
		case field.Kind() == protoreflect.StringKind:
			req.Set(field, protoreflect.ValueOfString("no such "+string(field.Name())))
		case field.Kind() == protoreflect.Int32Kind:
			req.Set(field, protoreflect.ValueOfInt32(-1))
		}
	}
	err = conn.Invoke(t.Context(), "/"+service+"/"+method, req, dynamicpb.NewMessage(of.Output()))
	st := grpcstatus.Convert(err)
	if st.Code() == codes.OK || st.Message() == "" {
		t.Errorf("%v; want a refusal with a message", err)
	}
	reason := ""
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "wxgate" {
			reason = info.GetReason()
		}
	}
	if reason == "" {
		t.Errorf("%v: details %v; want an ErrorInfo of domain wxgate with a reason", err, st.Details())
	}
}
