// Package replier decides the answers of Official Accounts by rules, and delivers those that are not ready while WeChat waits. It
// knows no HTTP and no XML.
package replier

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
)

// Server is a replier whose address is bound.
type Server struct {
	replierv1.UnimplementedReplierServiceServer
	replierv1.UnimplementedRulesServiceServer
	grpc           *service.GRPC
	liveRules      *configfile.Live[*ruleSets]
	bots           *botClients
	jobs           *dedupe
	slow           slowPolicies
	toOAuth        service.Conn // nil without an oauthsvc
	accountService oauthv1.AccountServiceClient
	typing         typingSign
	repliesTotal   *prometheus.CounterVec

	takeovers *takeoverCounts
	pushes    *accountSlots // bounds the messages that WeChat is given at a time
	stuck     *stuckAnswers
	calls     *botCalls
	busyText  string // BusyText
	log       *slog.Logger
}

// New binds the address.
func New(cfg *Completed) (*Server, error) {
	s := &Server{
		liveRules: cfg.liveRules,
		bots:      &botClients{env: cfg.Env, handlers: cfg.Handlers},
		slow:      slowPolicies{fallback: cfg.Slow, backlog: cfg.Backlog, hasOAuth: cfg.OAuth.IsSet()},
		repliesTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_replies_total",
			Help: "Messages by outcome: reply, silent, no_rule, fetched; if the answer was not ready in time: deferred, hold, dropped; given_up if no answer will come; rule_failed counts rules that failed.",
		}, []string{"outcome"}),
		pushes:   newAccountSlots(maxPushes),
		busyText: strings.TrimSpace(cfg.BusyText),
		log:      cfg.Env.Log,
	}
	var err error
	if s.slow.hasOAuth {
		if s.toOAuth, err = service.Connect(cfg.Env, "oauth", cfg.OAuth); err != nil {
			return nil, err
		}
		s.accountService = oauthv1.NewAccountServiceClient(s.toOAuth)
	}
	if s.grpc, err = service.ListenGRPC(cfg.Env, "replier-listen", cfg.Listen); err != nil {
		s.closeOAuth()
		return nil, err
	}
	s.jobs = newDedupe(cfg.OnceMemory)
	s.typing = newTypingSign(s.accountService, &s.slow.blocked)
	s.stuck = newStuckAnswers(cfg.Env)
	s.calls = newBotCalls(cfg.Env.Registerer, cfg.BotMemory)
	s.takeovers = newTakeoverCounts(s.calls)
	cfg.Env.Registerer.MustRegister(s.repliesTotal)
	s.liveRules.Register(cfg.Env)
	replierv1.RegisterReplierServiceServer(s.grpc, s)
	replierv1.RegisterRulesServiceServer(s.grpc, s)
	if cfg.Backlog != nil {
		cfg.Backlog.RegisterMetrics(cfg.Env.Registerer)
		replierv1.RegisterDeliveryServiceServer(s.grpc, deliveryService{backlog: cfg.Backlog})
	}
	s.bots.connectBots(s.liveRules.Value())
	s.liveRules.OnChange(s.bots.connectBots)
	return s, nil
}

// GRPC returns the gRPC server.
func (s *Server) GRPC() *service.GRPC { return s.grpc }

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close closes the address and the connections of a server that never served.
func (s *Server) Close() {
	s.grpc.Close()
	s.jobs.endJobs()
	s.bots.closeAll()
	s.closeOAuth()
}

func (s *Server) closeOAuth() {
	if s.toOAuth != nil {
		_ = s.toOAuth.Close()
	}
}

// Serve serves until ctx ends, then finishes the calls and jobs in flight.
func (s *Server) Serve(ctx context.Context) error {
	defer s.closeOAuth()
	defer s.bots.closeAll()
	var background sync.WaitGroup
	defer background.Wait()
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop() // the backlog says goodbye after the last job
	defer s.jobs.endJobs()
	background.Go(func() { s.liveRules.Watch(own) })
	if b := s.slow.backlog; b != nil {
		background.Go(func() { b.Serve(own) })
		background.Go(func() { s.takeOver(ctx) })
	}
	return s.grpc.Serve(ctx)
}

// GetRules implements replier.v1.RulesService.
func (s *Server) GetRules(_ context.Context, req *replierv1.GetRulesRequest) (*replierv1.GetRulesResponse, error) {
	return s.liveRules.Value().ruleSetOf(req.GetAccount()).toProto(), nil
}
