// Package replier decides what an Official Account answers: the first rule that matches a message. It knows no HTTP and
// no XML.
package replier

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
)

// Config is what a replier needs. The zero Env logs to slog's default and has metrics of its own.
type Config struct {
	Env      service.Env
	Listen   string             // gRPC address
	Rules    string             // rules file, loaded again when it changes; "": the built-in rules
	Handlers map[string]Handler // bots in this process, by name
}

// Validate returns what is wrong with the rules: configfile.Problems.
func (c Config) Validate() error {
	load := &configfile.Load{}
	c.withDefaults().readBook(load, nil)
	return load.Err()
}

func (c Config) withDefaults() Config {
	if c.Handlers == nil {
		c.Handlers = map[string]Handler{}
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
	replies *prometheus.CounterVec
}

// New loads the rules and binds the address. The error is configfile.Problems or the address's.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	s := &Server{
		bots: &bots{env: cfg.Env, handlers: cfg.Handlers},
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_replies_total",
			Help: "Messages by what the rules said: reply, silent, no_rule; rule_failed counts rules that failed.",
		}, []string{"outcome"}),
	}
	var err error
	if s.book, err = configfile.Open(cfg.Env, "rules", cfg.readBook); err != nil {
		return nil, err
	}
	if s.grpc, err = service.ListenGRPC(cfg.Env, "replier-listen", cfg.Listen); err != nil {
		return nil, err
	}
	cfg.Env.Registerer.MustRegister(s.replies)
	replierv1.RegisterReplierServiceServer(s.grpc, s)
	replierv1.RegisterRulesServiceServer(s.grpc, s)
	s.bots.connect(s.book.Value().main.rules)
	return s, nil
}

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close gives address and connections back; for a server that never served.
func (s *Server) Close() {
	s.grpc.Close()
	s.bots.close()
}

// Serve serves until ctx ends, then finishes what is in flight.
func (s *Server) Serve(ctx context.Context) error {
	defer s.bots.close()
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watching.Go(func() { s.book.Watch(ctx) })
	return s.grpc.Serve(ctx)
}

// Reply implements replier.v1.ReplierService.
func (s *Server) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	msg := req.GetMessage()
	if msg == nil {
		return nil, service.NewError(codes.InvalidArgument, "", "message: missing, but required", nil, nil)
	}
	line := service.LineOf(ctx)
	line.Add(slog.String("account", msg.GetAccount()), slog.String("user", service.Short(msg.GetFromUserName())),
		slog.String("msg_type", msg.GetMsgType()))
	if e := msg.GetEvent(); e != nil {
		line.Add(slog.String("event", e.GetEvent()))
	}
	d := s.book.Value().edition(msg.GetAccount()).rules.decide(ctx, msg, s.bots.ask)
	if err := errors.Join(d.failed...); err != nil {
		line.Fail(err)
		s.replies.WithLabelValues("rule_failed").Add(float64(len(d.failed)))
	}
	outcome, rule := "reply", ""
	switch {
	case d.rule == nil:
		outcome = "no_rule"
	case d.reply == nil:
		outcome = "silent"
	}
	if d.rule != nil {
		rule = d.rule.name
	}
	s.replies.WithLabelValues(outcome).Inc()
	line.Add(slog.String("rule", rule), slog.String("outcome", outcome))
	return &replierv1.ReplyResponse{Reply: d.reply}, nil
}

// GetRules implements replier.v1.RulesService.
func (s *Server) GetRules(_ context.Context, req *replierv1.GetRulesRequest) (*replierv1.GetRulesResponse, error) {
	return s.book.Value().edition(req.GetAccount()).proto(), nil
}
