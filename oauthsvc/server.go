// Package oauthsvc makes WeChat's web OAuth calls: it alone knows the AppSecret and api.weixin.qq.com.
package oauthsvc

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/internal/store"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Server is an OAuth service whose address is bound.
type Server struct {
	oauthv1.UnimplementedOAuthServiceServer
	openURL  string
	accounts func() *roster            // those of the moment
	file     *configfile.Live[*roster] // nil without an accounts file
	grpc     *service.GRPC
	api      *upstream
	own      *store.Store // where none was handed in

	brake       codeBrake
	codes       vault[exchange]
	states      *store.Bucket // of each state, its code
	users       vault[userToken]
	withdrawals *store.Bucket // of each user who withdrew, when
	tokens      vault[credential]
	forced      vault[forcedTokens] // beside the tokens
	sends       sends
}

// New validates the configuration and binds the address.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{openURL: strings.TrimRight(cfg.OpenURL, "/")}
	if err := s.openAccounts(cfg); err != nil {
		return nil, err
	}
	if err := s.openStore(cfg); err != nil {
		s.close()
		return nil, err
	}
	var err error
	if s.grpc, err = service.ListenGRPC(cfg.Env, "oauth-listen", cfg.Listen); err != nil {
		s.close()
		return nil, err
	}
	s.api = newUpstream(strings.Split(cfg.APIURL, ","), cfg.Env)
	oauthv1.RegisterOAuthServiceServer(s.grpc, s)
	oauthv1.RegisterAccountServiceServer(s.grpc, accountService{Server: s})
	return s, nil
}

// GRPC returns the gRPC server.
func (s *Server) GRPC() *service.GRPC { return s.grpc }

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close gives address and connections back; for a server that never served.
func (s *Server) Close() {
	s.grpc.Close()
	s.api.close()
	s.close()
}

func (s *Server) close() {
	if s.own != nil {
		s.own.Close()
	}
}

// maxLoginBytes is how much is kept of codes, and of states. Strangers can make both up: when they fill it, what is forgotten
// first is the oldest. It is enough for some 20,000 codes in five minutes.
const maxLoginBytes = 16 << 20

// openStore opens what must last.
func (s *Server) openStore(cfg Config) error {
	kept := cfg.Store
	if kept == nil {
		var err error
		if s.own, err = store.Open(store.Config{Env: cfg.Env}); err != nil {
			return err
		}
		kept = s.own
	}
	var errs [6]error
	s.codes, errs[0] = openVault[exchange](kept, "codes", keepOutcome, maxLoginBytes)
	s.states, errs[1] = kept.BoundedBucket("oauth_states", keepState, maxLoginBytes)
	s.users, errs[2] = openVault[userToken](kept, "users", keepUserToken, 0)
	s.tokens, errs[3] = openVault[credential](kept, "tokens", keepCredential, 0)
	s.forced = vault[forcedTokens]{s.tokens.name, s.tokens.bucket}
	s.sends, errs[4] = openSends(kept)
	s.withdrawals, errs[5] = kept.Bucket("oauth_withdrawals", keepWithdrawal)
	return errors.Join(errs[:]...)
}

// Serve serves until ctx ends, then finishes what is in flight.
func (s *Server) Serve(ctx context.Context) error {
	defer s.Close()
	if s.file != nil {
		var watch sync.WaitGroup
		defer watch.Wait()
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		watch.Go(func() { s.file.Watch(ctx) })
	}
	return s.grpc.Serve(ctx)
}
