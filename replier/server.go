// Package replier decides what an Official Account answers: the first rule that matches a message. It knows no HTTP and
// no XML.
package replier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
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

	// What becomes of an answer that is not ready while WeChat waits, where neither rule nor account says.
	Slow    accounts.Slow
	Backlog *backlog.Backlog // where messages are stored whose answers follow; nil: nowhere
	OAuth   string           // gRPC target of an oauthsvc, which sends answers that follow; "": none
	Demo    bool             // the built-in rules begin with one that forwards to the handler "slow"
}

// defaultOnceMemory holds the answers of a minute with some 2,000 messages a second.
const defaultOnceMemory = 64 << 20

// Validate returns what is wrong: with the rules, configfile.Problems.
func (c Config) Validate() error {
	load := &configfile.Load{}
	c.withDefaults().readBook(load, nil)
	return errors.Join(c.checkFlags(), load.Err())
}

func (c Config) checkFlags() error {
	var errs []error
	if c.OnceMemory < 0 {
		errs = append(errs, errors.New("--once-memory (WXGATE_ONCE_MEMORY): less than 0; expected MiB, 0 for the default"))
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
	toOAuth *grpc.ClientConn // nil without an oauthsvc
	account oauthv1.AccountServiceClient
	typing  typing
	slots   *semaphore.Weighted // for messages that were taken over
	replies *prometheus.CounterVec
}

// New loads the rules and binds the address. The error is configfile.Problems or the address's.
func New(cfg Config) (*Server, error) {
	if err := cfg.checkFlags(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{
		bots:  &bots{env: cfg.Env, handlers: cfg.Handlers},
		slots: semaphore.NewWeighted(slots),
		ways:  ways{usual: cfg.Slow, backlog: cfg.Backlog, pushes: cfg.OAuth != ""},
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_replies_total",
			Help: "Messages by what was said: reply, silent, no_rule, fetched; where that was not ready in time deferred, hold, dropped, or given_up where it never was; rule_failed counts rules that failed.",
		}, []string{"outcome"}),
	}
	var err error
	if s.book, err = configfile.Open(cfg.Env, "rules", cfg.readBook); err != nil {
		return nil, err
	}
	if cfg.OAuth != "" {
		if s.toOAuth, err = service.DialOwn(cfg.Env, "oauth", cfg.OAuth); err != nil {
			return nil, err
		}
		s.account = oauthv1.NewAccountServiceClient(s.toOAuth)
	}
	if s.grpc, err = service.ListenGRPC(cfg.Env, "replier-listen", cfg.Listen); err != nil {
		s.closeOAuth()
		return nil, err
	}
	s.once = newOnce(cfg.OnceMemory)
	s.typing = newTyping(s.account)
	cfg.Env.Registerer.MustRegister(s.replies)
	replierv1.RegisterReplierServiceServer(s.grpc, s)
	replierv1.RegisterRulesServiceServer(s.grpc, s)
	if cfg.Backlog != nil {
		cfg.Backlog.Observe(cfg.Env.Registerer)
		replierv1.RegisterDeliveryServiceServer(s.grpc, deliveries{backlog: cfg.Backlog})
	}
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
	mayDefer := req.GetMayDefer() && handedOn(ctx) == 0
	waiting := ctx
	if mayDefer {
		if resp := s.known(ctx, line, msg); resp != nil {
			return resp, nil
		}
		if deadline, ok := ctx.Deadline(); ok && s.ways.backlog != nil {
			var cancel context.CancelFunc
			waiting, cancel = before(ctx, deadline, storeTime)
			defer cancel()
		}
	}
	deadline, _ := waiting.Deadline()
	r, attempt := s.once.join(ctx, msg, s.decider(deadline, msg, mayDefer), func(r *run) { s.ended(msg, r) })
	if attempt > 1 {
		line.Add(slog.Int("attempt", attempt))
	}
	ready := r.wait(waiting, mayDefer)
	switch {
	case !ready && gone(ctx):
		return nil, status.FromContextError(ctx.Err()).Err()
	case mayDefer && (!ready || r.deferred() != nil):
		if resp := s.late(ctx, line, msg, r, attempt); resp != nil {
			return resp, nil
		}
	case !ready:
		return nil, status.FromContextError(waiting.Err()).Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	if attempt == 1 {
		s.count(line, r.decision)
	}
	return s.respond(line, s.outcome(line, r.decision), &replierv1.ReplyResponse{Reply: r.decision.reply}), nil
}

// gone tells whether a caller whose time is over hears no answer any more: it left, or this process stood still.
func gone(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return errors.Is(ctx.Err(), context.Canceled) || ok && time.Since(deadline) > time.Second
}

// known answers an attempt to send a message that another process stored; nil where none did.
func (s *Server) known(ctx context.Context, line *service.Line, msg *wechatv1.Message) *replierv1.ReplyResponse {
	if s.ways.backlog == nil {
		return nil
	}
	text, known := s.ways.backlog.Known(ctx, msg)
	if !known {
		return nil
	}
	return s.respond(line, "deferred", &replierv1.ReplyResponse{Deferred: true, Reply: textReply(text)})
}

// decider returns what works on a message for a caller who waits until a time, or where that is zero for ever. A user's
// message fetches the answer that was kept for the user; else the rules say what is said.
func (s *Server) decider(until time.Time, msg *wechatv1.Message, mayDefer bool) decider {
	return func(ctx context.Context, r *run) decision {
		if mayDefer && s.ways.backlog != nil && msg.GetEvent() == nil {
			if d, waits := s.fetch(ctx, until, msg); waits {
				return d
			}
		}
		book := s.book.Value()
		return book.edition(msg.GetAccount()).rules.decide(ctx, msg, s.asker(until, r, book.account(msg.GetAccount()), mayDefer))
	}
}

// fetch returns the answer to an earlier message that the user waits for; or in time for the caller, what the user was
// told then. waits is false where the user waits for none.
func (s *Server) fetch(ctx context.Context, until time.Time, msg *wechatv1.Message) (d decision, waits bool) {
	ctx, cancel := before(ctx, until, spare)
	defer cancel()
	reply, text, waits := s.ways.backlog.Fetch(ctx, msg)
	if reply == nil {
		reply = textReply(text)
	}
	return decision{reply: reply, fetched: true}, waits
}

// before returns a context that ends a little before a time, or with ctx where that is zero.
func before(ctx context.Context, until time.Time, little time.Duration) (context.Context, context.CancelFunc) {
	if until.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, until.Add(-min(little, time.Until(until)/8)))
}

// outcome notes in the line which rule answered, and returns how.
func (s *Server) outcome(line *service.Line, d decision) string {
	rule := ""
	if d.rule != nil {
		rule = d.rule.name
	}
	line.Add(slog.String("rule", rule))
	switch {
	case d.fetched:
		return "fetched"
	case d.rule == nil:
		return "no_rule"
	case d.reply == nil:
		return "silent"
	}
	return "reply"
}

// count notes the rules that failed.
func (s *Server) count(line *service.Line, d decision) {
	if err := errors.Join(d.failed...); err != nil {
		line.Fail(err)
		s.replies.WithLabelValues("rule_failed").Add(float64(len(d.failed)))
	}
}

// asker returns what asks bots for a caller who waits until a time, or where that is zero for ever. A bot has the time that
// its rule gives it, or that which the way of a slow answer leaves; else the caller's.
func (s *Server) asker(until time.Time, r *run, a accountRules, mayDefer bool) asker {
	return func(ctx context.Context, f *forward, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		slow := s.ways.of(a, f.slow)
		limit := f.timeout
		if mayDefer {
			r.plan(slow, f.wait)
			limit = cmp.Or(limit, wants(slow))
		}
		if limit == 0 {
			var cancel context.CancelFunc
			ctx, cancel = before(ctx, until, 0)
			defer cancel()
		}
		return s.bots.ask(ctx, f, msg, cmp.Or(limit, maxTimeout))
	}
}

// GetRules implements replier.v1.RulesService.
func (s *Server) GetRules(_ context.Context, req *replierv1.GetRulesRequest) (*replierv1.GetRulesResponse, error) {
	return s.book.Value().edition(req.GetAccount()).proto(), nil
}
