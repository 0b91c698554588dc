// Package gateway speaks HTTP and WeChat. It checks that callbacks are from WeChat, and turns XML into protobuf and back. It decides
// nothing: answers come from the replier, identities from oauthsvc.
package gateway

import (
	"context"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"wxgate/gateway/login"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
)

// Server is a gateway whose addresses are bound.
type Server struct {
	public, internal *service.HTTP
	conns            []service.Conn
	watchedFile      *configfile.Live[*accountSet] // nil without an accounts file
	backlog          *backlog.Backlog              // nil: messages are not stored
}

// New opens connections and binds the addresses.
func New(cfg *Completed) (*Server, error) {
	s := &Server{watchedFile: cfg.watchedFile}
	if err := s.openListeners(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openListeners connects to the services, adds the routes and binds the addresses.
func (s *Server) openListeners(cfg *Completed) error {
	toReplier, err := s.dialService(cfg.Env, "replier", cfg.Replier)
	if err != nil {
		return err
	}
	if s.watchedFile != nil {
		s.watchedFile.Register(cfg.Env)
	}
	if s.backlog = cfg.Backlog; s.backlog != nil {
		if err := s.backlog.ListenForQuestions(); err != nil {
			return err
		}
	}
	public := http.NewServeMux()
	toOAuth, forgets, err := s.openLogin(cfg, public)
	if err != nil {
		return err
	}
	var traces *traceLog
	if cfg.Debug {
		traces = newTraceLog()
	}
	addCallbackRoutes(public, cfg.Config, cfg.currentAccounts, replierv1.NewReplierServiceClient(toReplier), forgets, traces)
	internal, err := internalHandler(toReplier, toOAuth, traces)
	if err != nil {
		return err
	}
	if s.public, err = service.ListenHTTP(cfg.Env, "listen", cfg.Listen, service.LogRequests(cfg.Env.Log, false, ignoreSlashes(public))); err != nil {
		return err
	}
	s.internal, err = service.ListenInternal(cfg.Env, "internal-listen", cfg.InternalListen, internal)
	return err
}

// openLogin adds the login's routes, and connects to oauthsvc for them. Without oauthsvc it returns nil.
func (s *Server) openLogin(cfg *Completed, public *http.ServeMux) (toOAuth service.Conn, forgets *userForgetter, err error) {
	if !cfg.OAuth.IsSet() {
		return nil, nil, nil
	}
	if toOAuth, err = s.dialService(cfg.Env, "oauth", cfg.OAuth); err != nil {
		return nil, nil, err
	}
	client := oauthv1.NewOAuthServiceClient(toOAuth)
	logins := cfg.loginConfig()
	logins.OAuth = client
	logins.Accounts = func() *login.Accounts { return cfg.currentAccounts().forLogin }
	if err := login.AddRoutes(public, logins); err != nil {
		return nil, nil, err
	}
	return toOAuth, newUserForgetter(cfg.Env.Registerer, client), nil
}

func (s *Server) dialService(env service.Env, name string, target service.Target) (service.Conn, error) {
	conn, err := service.Connect(env, name, target)
	if err == nil {
		s.conns = append(s.conns, conn)
	}
	return conn, err
}

// Addr returns the public address.
func (s *Server) Addr() net.Addr { return s.public.Addr() }

// InternalAddr returns the internal address.
func (s *Server) InternalAddr() net.Addr { return s.internal.Addr() }

// Close releases addresses and connections of a server that never served.
func (s *Server) Close() {
	for _, h := range []*service.HTTP{s.public, s.internal} {
		if h != nil {
			h.Close()
		}
	}
	for _, conn := range s.conns {
		_ = conn.Close()
	}
}

// Serve serves until ctx ends. The public address stops first, so that the internal one still reports that the gateway is not ready.
func (s *Server) Serve(ctx context.Context) error {
	defer s.Close()
	internalCtx, stopInternal := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInternal()
	group, failed := errgroup.WithContext(ctx)
	group.Go(func() error { return s.internal.Serve(internalCtx) })
	if s.watchedFile != nil {
		group.Go(func() error { s.watchedFile.Watch(failed); return nil })
	}
	group.Go(func() error {
		defer stopInternal()
		err := s.public.Serve(failed)
		if s.backlog != nil {
			s.backlog.HandOver()
		}
		return err
	})
	return group.Wait()
}
