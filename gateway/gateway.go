// Package gateway speaks HTTP and WeChat. It checks who calls, turns XML into protobuf and back, and decides nothing:
// answers come from the replier, identities from oauthsvc.
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
	accounts         *configfile.Live[*roster] // nil without an accounts file
	backlog          *backlog.Backlog          // nil: there is none
}

// New binds the addresses.
func New(cfg *Completed) (*Server, error) {
	s := &Server{accounts: cfg.watched}
	if err := s.open(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open(cfg *Completed) error {
	toReplier, err := s.dial(cfg.Env, "replier", cfg.Replier)
	if err != nil {
		return err
	}
	if s.accounts != nil {
		s.accounts.Register(cfg.Env)
	}
	if s.backlog = cfg.Backlog; s.backlog != nil {
		if err := s.backlog.ListenForQuestions(); err != nil {
			return err
		}
	}
	public := http.NewServeMux()
	var toOAuth service.Conn
	var forgets *userForgetter
	if cfg.OAuth.IsSet() {
		if toOAuth, err = s.dial(cfg.Env, "oauth", cfg.OAuth); err != nil {
			return err
		}
		client := oauthv1.NewOAuthServiceClient(toOAuth)
		if err := login.AddRoutes(public, login.Config{
			Log:            cfg.Env.Log,
			OAuth:          client,
			Accounts:       func() *login.Accounts { return cfg.accounts().forLogin },
			AccountsChange: cfg.Accounts.File != "",
			PublicURL:      cfg.PublicURL,
			ReturnHosts:    cfg.ReturnHosts,
			SessionKey:     cfg.SessionKey,
		}); err != nil {
			return err
		}
		forgets = newUserForgetter(cfg.Env.Registerer, client)
	}
	var traces *traceLog
	if cfg.Debug {
		traces = newTraceLog()
	}
	addCallbackRoutes(public, cfg.Config, cfg.accounts, replierv1.NewReplierServiceClient(toReplier), forgets, traces)
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

func (s *Server) dial(env service.Env, name string, target service.Target) (service.Conn, error) {
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

// Close gives addresses and connections back; for a server that never served.
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

// Serve serves until ctx ends: the public address stops first, so that the internal one tells of it.
func (s *Server) Serve(ctx context.Context) error {
	defer s.Close()
	internalCtx, stopInternal := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInternal()
	group, failed := errgroup.WithContext(ctx)
	group.Go(func() error { return s.internal.Serve(internalCtx) })
	if s.accounts != nil {
		group.Go(func() error { s.accounts.Watch(failed); return nil })
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
