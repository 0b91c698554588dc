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
	wechatv1 "wxgate/proto/wechat/v1"
)

// Config is what a replier needs. The zero Env logs to slog's default and has metrics of its own.
type Config struct {
	Env      service.Env
	Listen   string             // gRPC address
	Rules    string             // rules file, loaded again when it changes; "": the built-in rules
	Handlers map[string]Handler // bots in this process, by name

	AccountsFile string // its accounts may have rules files of their own; "": none
	OnceMemory   int    // bytes for answers that are kept for WeChat's retries; 0: 64 MiB
}

// defaultOnceMemory holds the answers of a minute with some 2,000 messages a second.
const defaultOnceMemory = 64 << 20

// Validate returns what is wrong: with the rules, configfile.Problems.
func (c Config) Validate() error {
	load := &configfile.Load{}
	c.withDefaults().readBook(load, nil)
	return errors.Join(c.checkMemory(), load.Err())
}

func (c Config) checkMemory() error {
	if c.OnceMemory < 0 {
		return errors.New("--once-memory (WXGATE_ONCE_MEMORY): less than 0; expected MiB, 0 for the default")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Handlers == nil {
		c.Handlers = map[string]Handler{}
	}
	if c.OnceMemory == 0 {
		c.OnceMemory = defaultOnceMemory
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
	replies *prometheus.CounterVec
}

// New loads the rules and binds the address. The error is configfile.Problems or the address's.
func New(cfg Config) (*Server, error) {
	if err := cfg.checkMemory(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{
		bots: &bots{env: cfg.Env, handlers: cfg.Handlers},
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_replies_total",
			Help: "Messages by what the rules said: reply, silent, no_rule; hold where that was not ready in time, given_up where it never was; rule_failed counts rules that failed.",
		}, []string{"outcome"}),
	}
	var err error
	if s.book, err = configfile.Open(cfg.Env, "rules", cfg.readBook); err != nil {
		return nil, err
	}
	if s.grpc, err = service.ListenGRPC(cfg.Env, "replier-listen", cfg.Listen); err != nil {
		return nil, err
	}
	s.once = newOnce(cfg.OnceMemory)
	cfg.Env.Registerer.MustRegister(s.replies)
	replierv1.RegisterReplierServiceServer(s.grpc, s)
	replierv1.RegisterRulesServiceServer(s.grpc, s)
	for _, e := range s.book.Value().editions() {
		s.bots.connect(e.rules)
	}
	return s, nil
}

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close gives address and connections back; for a server that never served.
func (s *Server) Close() {
	s.grpc.Close()
	s.once.close()
	s.bots.close()
}

// Serve serves until ctx ends, then finishes what is in flight.
func (s *Server) Serve(ctx context.Context) error {
	defer s.bots.close()
	defer s.once.close()
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
	rules := s.book.Value().edition(msg.GetAccount()).rules
	ask := s.asker(ctx)
	d, attempt, err := s.once.decide(ctx, msg, func(ctx context.Context) decision { return rules.decide(ctx, msg, ask) })
	if attempt > 1 {
		line.Add(slog.Int("attempt", attempt))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return s.late(line, attempt), nil
	case err != nil:
		return nil, err
	case attempt == 1:
		s.count(line, d)
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

// count notes the rules that failed.
func (s *Server) count(line *service.Line, d decision) {
	if err := errors.Join(d.failed...); err != nil {
		line.Fail(err)
		s.replies.WithLabelValues("rule_failed").Add(float64(len(d.failed)))
	}
}

// maxAttempts is how often WeChat sends a message.
const maxAttempts = 3

// late answers a caller whose time is over before the rules have answered: WeChat sends the message again, unless this
// was its last attempt.
func (s *Server) late(line *service.Line, attempt int) *replierv1.ReplyResponse {
	outcome := "hold"
	if attempt >= maxAttempts {
		outcome = "given_up"
	}
	s.replies.WithLabelValues(outcome).Inc()
	line.Add(slog.String("outcome", outcome))
	return &replierv1.ReplyResponse{Hold: attempt < maxAttempts}
}

// asker returns what asks bots for the caller whose context is ctx. A bot has the caller's time, unless the rule gives it
// a time of its own: then it may be longer.
func (s *Server) asker(caller context.Context) asker {
	return func(ctx context.Context, f *forward, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		if deadline, ok := caller.Deadline(); ok && f.timeout == 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline)
			defer cancel()
		}
		return s.bots.ask(ctx, f, msg)
	}
}

// GetRules implements replier.v1.RulesService.
func (s *Server) GetRules(_ context.Context, req *replierv1.GetRulesRequest) (*replierv1.GetRulesResponse, error) {
	return s.book.Value().edition(req.GetAccount()).proto(), nil
}
