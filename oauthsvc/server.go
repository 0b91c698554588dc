// Package oauthsvc serves OAuthService and AccountService: logins, and the calls that an account makes at WeChat. It alone knows
// the AppSecret.
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
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Server is the gRPC server of both services, with its address bound.
type Server struct {
	oauthv1.UnimplementedOAuthServiceServer
	openURL  string
	accounts func() *accountSet            // the current ones
	file     *configfile.Live[*accountSet] // nil without an accounts file
	grpc     *service.GRPC
	api      *wechatapi.Client
	ownStore *store.Store // nil if the Config has one

	brake       codeBrake
	codes       vault[codeExchange]
	states      *store.Bucket // the code of each state
	users       vault[userToken]
	withdrawals *store.Bucket // when users withdrew
	tokens      vault[accountCredential]
	forced      vault[forcedTokens] // in the bucket of tokens
	sends       sendAttempts
}

// New opens what the service keeps, and binds the address.
func New(cfg *Completed) (*Server, error) {
	s := &Server{openURL: strings.TrimRight(cfg.OpenURL, "/"), accounts: cfg.accounts, file: cfg.watched}
	if s.file != nil {
		s.file.Register(cfg.Env)
	}
	if err := s.openStore(cfg.Config); err != nil {
		s.closeStore()
		return nil, err
	}
	var err error
	if s.grpc, err = service.ListenGRPC(cfg.Env, "oauth-listen", cfg.Listen); err != nil {
		s.closeStore()
		return nil, err
	}
	s.api = wechatapi.New(strings.Split(cfg.APIURL, ","), cfg.Env)
	oauthv1.RegisterOAuthServiceServer(s.grpc, s)
	oauthv1.RegisterAccountServiceServer(s.grpc, accountService{Server: s})
	return s, nil
}

// GRPC returns the gRPC server.
func (s *Server) GRPC() *service.GRPC { return s.grpc }

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close releases address and connections; for a server that never served.
func (s *Server) Close() {
	s.grpc.Close()
	s.api.Close()
	s.closeStore()
}

func (s *Server) closeStore() {
	if s.ownStore != nil {
		s.ownStore.Close()
	}
}

// maxLoginBytes is the most that codes, and states, may take in the store. Strangers can make both up: if they fill it, the
// oldest are forgotten first. It is enough for some 20,000 codes in five minutes.
const maxLoginBytes = 16 << 20

// openStore opens the buckets.
func (s *Server) openStore(cfg Config) error {
	kept := cfg.Store
	if kept == nil {
		var err error
		if s.ownStore, err = store.Open(store.Config{Env: cfg.Env}); err != nil {
			return err
		}
		kept = s.ownStore
	}
	var errs [6]error
	s.codes, errs[0] = openVault[codeExchange](kept, "codes", keepExchange, maxLoginBytes)
	s.states, errs[1] = kept.BoundedBucket("oauth_states", keepState, maxLoginBytes)
	s.users, errs[2] = openVault[userToken](kept, "users", keepUserTokens, 0)
	s.tokens, errs[3] = openVault[accountCredential](kept, "tokens", keepCredential, 0)
	s.forced = vault[forcedTokens]{s.tokens.name, s.tokens.bucket}
	s.sends, errs[4] = openSendAttempts(kept)
	s.withdrawals, errs[5] = kept.Bucket("oauth_withdrawals", keepWithdrawal)
	return errors.Join(errs[:]...)
}

// Serve serves until ctx ends, then finishes the requests in flight.
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
