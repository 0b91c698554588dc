// Package replier decides the answers of Official Accounts by rules, and delivers those that are not ready while WeChat waits. It
// knows no HTTP and no XML.
package replier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
	"wxgate/replier/rules"
)

// Config configures a replier. The zero Env logs to slog's default and has metrics of its own.
type Config struct {
	Env      service.Env
	Listen   string             // gRPC address
	Rules    string             // rules file, loaded again when it changes; "": the built-in rules
	Handlers map[string]Handler // bots in this process, by name

	AccountsFile string // its accounts may have rules files of their own; "": none
	OnceMemory   int    // bytes for answers that are kept for WeChat's retries; 0: 64 MiB
	BotMemory    int    // bytes for messages that wait for bots, some 50 kB each; 0: 256 MiB

	// Slow is the policy for answers that are not ready while WeChat waits, unless rule or account have one.
	Slow      accounts.Slow
	Backlog   *backlog.Backlog // stores messages whose answers are late; nil: they are not stored
	OAuth     string           // gRPC target of an oauthsvc, which sends late answers; "": none
	OAuthHere *service.GRPC    // in place of OAuth: the server of one in this process
	BusyText  string           // for users whose answer fails after WeChat has stopped waiting; blank: they read nothing
	Demo      bool             // the built-in rules begin with one that forwards to the handler "slow"

	validated *validatedRules // by Validate; nil: not yet
}

// defaultOnceMemory holds the short answers of a minute with some 5,000 messages a second.
const defaultOnceMemory = 64 << 20

// defaultBotMemory holds some 5,000 messages that wait for bots.
const defaultBotMemory = 256 << 20

// Validate returns all errors; those of the rules are configfile.Problems. New does not compile valid rules again.
func (c *Config) Validate() error {
	load := &configfile.Load{}
	read := c.withDefaults().readRuleSets(load, nil)
	if load.Err() == nil {
		c.validated = &validatedRules{read, c.Rules, c.AccountsFile, c.Demo, slices.Collect(maps.Keys(c.Handlers))}
	}
	return errors.Join(c.checkFlags(), load.Err())
}

// readRules reads a rules file, or the built-in rules if path is "". The result is nil if there are problems.
func (c Config) readRules(load *configfile.Load, path string) *rules.Rules {
	handlers := map[string]bool{}
	for name, handler := range c.Handlers {
		handlers[name] = handler != nil
	}
	return rules.Options{Handlers: handlers, Demo: c.Demo}.Read(load, path)
}

// validatedRules are rules that Validate found valid, and the settings they were read with.
type validatedRules struct {
	sets                *ruleSets
	rules, accountsFile string
	demo                bool
	handlers            []string
}

// validatedSets returns the rules that Validate has read; nil if it was not called, or the settings changed since.
func (c Config) validatedSets() *ruleSets {
	if k := c.validated; k == nil || k.rules != c.Rules || k.accountsFile != c.AccountsFile || k.demo != c.Demo || len(k.handlers) != len(c.Handlers) {
		return nil
	}
	for _, name := range c.validated.handlers {
		if c.Handlers[name] == nil {
			return nil
		}
	}
	return c.validated.sets
}

// reloadRuleSets is readRuleSets; at first it takes the rules that Validate has read, if they did not change since.
func (c Config) reloadRuleSets(load *configfile.Load, before *ruleSets) *ruleSets {
	if before == nil {
		before = c.validatedSets()
	}
	return c.readRuleSets(load, before)
}

func (c Config) checkFlags() error {
	var errs []error
	if c.OnceMemory < 0 {
		errs = append(errs, errors.New("--once-memory (WXGATE_ONCE_MEMORY): less than 0; expected MiB, 0 for the default"))
	}
	if c.BotMemory < 0 {
		errs = append(errs, errors.New("--bot-memory (WXGATE_BOT_MEMORY): less than 0; expected MiB, 0 for the default"))
	}
	if err := c.Slow.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("--slow (WXGATE_SLOW): %w", err))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Handlers == nil {
		c.Handlers = map[string]Handler{}
	}
	if c.OnceMemory == 0 {
		c.OnceMemory = defaultOnceMemory
	}
	if c.BotMemory == 0 {
		c.BotMemory = defaultBotMemory
	}
	if c.Env.Log == nil {
		c.Env = service.NewEnv(slog.Default())
	}
	return c
}

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

// New loads the rules and binds the address. The error is configfile.Problems or the address's.
func New(cfg Config) (*Server, error) {
	if err := cfg.checkFlags(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{
		bots: &botClients{env: cfg.Env, handlers: cfg.Handlers},
		slow: slowPolicies{fallback: cfg.Slow, backlog: cfg.Backlog, hasOAuth: cfg.OAuth != "" || cfg.OAuthHere != nil},
		repliesTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_replies_total",
			Help: "Messages by outcome: reply, silent, no_rule, fetched; if the answer was not ready in time: deferred, hold, dropped; given_up if no answer will come; rule_failed counts rules that failed.",
		}, []string{"outcome"}),
		pushes:   newAccountSlots(maxPushes),
		busyText: strings.TrimSpace(cfg.BusyText),
		log:      cfg.Env.Log,
	}
	var err error
	if s.liveRules, err = configfile.Open(cfg.Env, "rules", cfg.reloadRuleSets); err != nil {
		return nil, err
	}
	if s.slow.hasOAuth {
		if s.toOAuth, err = service.Connect(cfg.Env, "oauth", cfg.OAuth, cfg.OAuthHere); err != nil {
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
