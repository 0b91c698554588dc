// Package oauthsvc makes WeChat's web OAuth calls: it alone knows the AppSecret and api.weixin.qq.com.
package oauthsvc

import (
	"context"
	"net"
	"strings"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Server is an OAuth service whose address is bound.
type Server struct {
	oauthv1.UnimplementedOAuthServiceServer
	cfg   Config
	grpc  *service.GRPC
	api   *upstream
	codes *codeBook
}

// New validates the configuration and binds the address.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.OpenURL = strings.TrimRight(cfg.OpenURL, "/")
	grpc, err := service.ListenGRPC(cfg.Env, "oauth-listen", cfg.Listen)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, grpc: grpc, api: newUpstream(cfg.APIURL, cfg.Env.Registerer), codes: newCodeBook()}
	oauthv1.RegisterOAuthServiceServer(grpc, s)
	return s, nil
}

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close gives address and connections back; for a server that never served.
func (s *Server) Close() {
	s.grpc.Close()
	s.codes.close()
	s.api.close()
}

// Serve serves until ctx ends, then finishes what is in flight.
func (s *Server) Serve(ctx context.Context) error {
	defer s.Close()
	return s.grpc.Serve(ctx)
}
