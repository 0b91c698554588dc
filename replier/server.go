// Package replier decides what an Official Account answers: the first rule that matches a message. It knows no HTTP and
// no XML.
package replier

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
)

// Config is what a replier needs.
type Config struct {
	Env    service.Env
	Listen string // gRPC address
	Rules  string // rules file; "": the built-in rules
}

// Validate returns what is wrong with the rules file: the error of LoadRules.
func (c Config) Validate() error {
	_, err := LoadRules(c.Rules)
	return err
}

// Server is a replier whose address is bound.
type Server struct {
	replierv1.UnimplementedReplierServiceServer
	grpc    *service.GRPC
	rules   *Rules
	replies *prometheus.CounterVec
}

// New loads the rules and binds the address. The error is LoadRules' or the address's.
func New(cfg Config) (*Server, error) {
	rules, err := LoadRules(cfg.Rules)
	if err != nil {
		return nil, err
	}
	s := &Server{rules: rules, replies: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_replies_total",
		Help: "Messages by what the rules said: reply, silent, no_rule; rule_failed counts rules that failed.",
	}, []string{"outcome"})}
	if s.grpc, err = service.ListenGRPC(cfg.Env, "replier-listen", cfg.Listen); err != nil {
		return nil, err
	}
	cfg.Env.Registerer.MustRegister(s.replies)
	replierv1.RegisterReplierServiceServer(s.grpc, s)
	return s, nil
}

// Addr returns the gRPC address.
func (s *Server) Addr() net.Addr { return s.grpc.Addr() }

// Close gives the address back; for a server that never served.
func (s *Server) Close() { s.grpc.Close() }

// Serve serves until ctx ends, then finishes what is in flight.
func (s *Server) Serve(ctx context.Context) error { return s.grpc.Serve(ctx) }

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
	d := s.rules.decide(ctx, msg)
	if err := errors.Join(d.failed...); err != nil {
		line.Fail(err)
		s.replies.WithLabelValues("rule_failed").Add(float64(len(d.failed)))
	}
	outcome := "reply"
	switch {
	case d.rule == "":
		outcome = "no_rule"
	case d.reply == nil:
		outcome = "silent"
	}
	s.replies.WithLabelValues(outcome).Inc()
	line.Add(slog.String("rule", d.rule), slog.String("outcome", outcome))
	return &replierv1.ReplyResponse{Reply: d.reply}, nil
}
