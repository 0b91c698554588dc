// Package replier decides what an Official Account answers: the first rule that matches a message. It knows no HTTP and
// no XML.
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

// Config is what a replier needs. The zero Env logs to slog's default and has metrics of its own.
type Config struct {
	Env      service.Env
	Listen   string             // gRPC address
	Rules    string             // rules file, loaded again when it changes; "": the built-in rules
	Handlers map[string]Handler // bots in this process, by name

	AccountsFile string // its accounts may have rules files of their own; "": none
	OnceMemory   int    // bytes for answers that are kept for WeChat's retries; 0: 64 MiB
	BotMemory    int    // bytes for messages that wait for bots, some 50 kB each; 0: 256 MiB

	// What becomes of an answer that is not ready while WeChat waits, where neither rule nor account says.
	Slow      accounts.Slow
	Backlog   *backlog.Backlog // where messages are stored whose answers follow; nil: nowhere
	OAuth     string           // gRPC target of an oauthsvc, which sends answers that follow; "": none
	OAuthHere *service.GRPC    // in place of OAuth: the server of one in this process
	BusyText  string           // what a user reads whose answer fails after WeChat has stopped waiting; blank: nothing
	Demo      bool             // the built-in rules begin with one that forwards to the handler "slow"

	checked *checkedRules // by Validate; nil: not yet
}

// defaultOnceMemory holds the answers of a minute with some 5,000 messages a second, where they are short texts.
const defaultOnceMemory = 64 << 20

// defaultBotMemory holds some 5,000 messages that wait for bots.
const defaultBotMemory = 256 << 20

// Validate returns what is wrong: with the rules, configfile.Problems. Rules that are right are not compiled again by New.
func (c *Config) Validate() error {
	load := &configfile.Load{}
	read := c.withDefaults().readBook(load, nil)
	if load.Err() == nil {
		c.checked = &checkedRules{read, c.Rules, c.AccountsFile, c.Demo, slices.Collect(maps.Keys(c.Handlers))}
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

// checkedRules are rules that Validate found right, and what they were read with.
type checkedRules struct {
	book                *book
	rules, accountsFile string
	demo                bool
	handlers            []string
}

// firstBook returns the rules that Validate has read, or nil if it was not asked, or about others.
func (c Config) firstBook() *book {
	if k := c.checked; k == nil || k.rules != c.Rules || k.accountsFile != c.AccountsFile || k.demo != c.Demo || len(k.handlers) != len(c.Handlers) {
		return nil
	}
	for _, name := range c.checked.handlers {
		if c.Handlers[name] == nil {
			return nil
		}
	}
	return c.checked.book
}

// readAgain is readBook; at first it takes what Validate has read and did not change since.
func (c Config) readAgain(load *configfile.Load, before *book) *book {
	if before == nil {
		before = c.firstBook()
	}
	return c.readBook(load, before)
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
	grpc    *service.GRPC
	book    *configfile.Live[*book]
	bots    *bots
	once    *once
	ways    ways
	toOAuth service.Conn // nil without an oauthsvc
	account oauthv1.AccountServiceClient
	typing  typing
	replies *prometheus.CounterVec

	takeovers *takeovers
	pushes    *accountSlots // for messages that WeChat is given
	stuck     *stuck
	calls     *calls
	busy      string // BusyText
	log       *slog.Logger
}

// New loads the rules and binds the address. The error is configfile.Problems or the address's.
func New(cfg Config) (*Server, error) {
	if err := cfg.checkFlags(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{
		bots: &bots{env: cfg.Env, handlers: cfg.Handlers},
		ways: ways{usual: cfg.Slow, backlog: cfg.Backlog, pushes: cfg.OAuth != "" || cfg.OAuthHere != nil},
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_replies_total",
			Help: "Messages by what was said: reply, silent, no_rule, fetched; where that was not ready in time deferred, hold, dropped, or given_up where it never was; rule_failed counts rules that failed.",
		}, []string{"outcome"}),
		pushes: newAccountSlots(maxPushes),
		busy:   strings.TrimSpace(cfg.BusyText),
		log:    cfg.Env.Log,
	}
	var err error
	if s.book, err = configfile.Open(cfg.Env, "rules", cfg.readAgain); err != nil {
		return nil, err
	}
	if s.ways.pushes {
		if s.toOAuth, err = service.Connect(cfg.Env, "oauth", cfg.OAuth, cfg.OAuthHere); err != nil {
			return nil, err
		}
		s.account = oauthv1.NewAccountServiceClient(s.toOAuth)
	}
	if s.grpc, err = service.ListenGRPC(cfg.Env, "replier-listen", cfg.Listen); err != nil {
		s.closeOAuth()
		return nil, err
	}
	s.once = newOnce(cfg.OnceMemory)
	s.typing = newTyping(s.account, &s.ways.refusals)
	s.stuck = newStuck(cfg.Env)
	s.calls = newCalls(cfg.Env.Registerer, cfg.BotMemory)
	s.takeovers = newTakeovers(s.calls)
	cfg.Env.Registerer.MustRegister(s.replies)
	replierv1.RegisterReplierServiceServer(s.grpc, s)
	replierv1.RegisterRulesServiceServer(s.grpc, s)
	if cfg.Backlog != nil {
		cfg.Backlog.RegisterMetrics(cfg.Env.Registerer)
		replierv1.RegisterDeliveryServiceServer(s.grpc, deliveries{backlog: cfg.Backlog})
	}
	s.bots.connect(s.book.Value())
	s.book.OnChange(s.bots.connect)
	return s, nil
}

// GRPC returns the gRPC server.
func (s *Server) GRPC() *service.GRPC { return s.grpc }

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close gives address and connections back; for a server that never served.
func (s *Server) Close() {
	s.grpc.Close()
	s.once.close()
	s.bots.close()
	s.closeOAuth()
}

func (s *Server) closeOAuth() {
	if s.toOAuth != nil {
		_ = s.toOAuth.Close()
	}
}

// Serve serves until ctx ends, then finishes what is in flight.
func (s *Server) Serve(ctx context.Context) error {
	defer s.closeOAuth()
	defer s.bots.close()
	var behind sync.WaitGroup
	defer behind.Wait()
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop() // the backlog says goodbye once nothing runs
	defer s.once.close()
	behind.Go(func() { s.book.Watch(own) })
	if b := s.ways.backlog; b != nil {
		behind.Go(func() { b.Serve(own) })
		behind.Go(func() { s.takeOver(ctx) })
	}
	return s.grpc.Serve(ctx)
}

// GetRules implements replier.v1.RulesService.
func (s *Server) GetRules(_ context.Context, req *replierv1.GetRulesRequest) (*replierv1.GetRulesResponse, error) {
	return s.book.Value().edition(req.GetAccount()).proto(), nil
}
