// Package gateway speaks HTTP and WeChat. It checks who calls, turns XML into protobuf and back, and decides nothing:
// answers come from the replier, identities from oauthsvc.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"wxgate/gateway/login"
	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
	replierv1 "wxgate/proto/replier/v1"
)

// Config is what a gateway needs.
type Config struct {
	Env            service.Env
	Listen         string           // public address: callbacks and /oauth/
	InternalListen string           // internal address: REST, /metrics, /livez, /readyz
	Accounts       []Account        // the first is the main one: on "/", and where no account is named
	AccountsFile   string           // in place of Accounts: the file that lists them, read again when it changes
	Replier        string           // gRPC target of a ReplierService
	ReplierHere    *service.GRPC    // in place of Replier: the server of one in this process
	OAuth          string           // gRPC target of an OAuthService; "": no /oauth/ routes
	OAuthHere      *service.GRPC    // in place of OAuth: the server of one in this process
	ReplyTimeout   time.Duration    // WeChat hangs up after 5 s
	MaxText        int              // of a text reply, in bytes; longer ones are cut; 0: any
	MaxSkew        time.Duration    // how far a callback's timestamp may be from our clock; 0: any
	PublicURL      string           // scheme and host that browsers use; "": the request's Host
	ReturnHosts    []string         // hosts besides our own that a login may return to
	Slow           accounts.Slow    // what becomes of an answer that is not ready while WeChat waits, where the account does not say
	Backlog        *backlog.Backlog // where messages are stored whose replier is away; nil: nowhere
	BusyText       string           // what users read where no answer will come; "": nothing
	SessionKey     service.Secret   // of logins; several, with commas between: the first makes, all are accepted; "": a new one
	Debug          bool             // the internal address shows the last callbacks, with what users write
}

// maxReplyTimeout is when WeChat hangs up (platform page "消息推送": 5 seconds).
const maxReplyTimeout = 5 * time.Second

// Validate returns everything that is wrong, in the accounts file too.
func (c Config) Validate() error {
	errs := []error{c.validateAccounts()}
	if c.ReplyTimeout <= margin || c.ReplyTimeout >= maxReplyTimeout {
		errs = append(errs, fmt.Errorf("--reply-timeout: %s; expected more than %s, which are kept for what follows the replier's answer, and less than %s, when WeChat hangs up",
			c.ReplyTimeout, margin, maxReplyTimeout))
	}
	if c.MaxText < 0 {
		errs = append(errs, fmt.Errorf("--max-text: %d; expected 0 (any) or more", c.MaxText))
	}
	if err := c.Slow.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("--slow (WXGATE_SLOW): %w", err))
	}
	if c.MaxSkew < 0 {
		errs = append(errs, fmt.Errorf("--max-skew: %s; expected 0 (any) or more", c.MaxSkew))
	}
	if c.PublicURL != "" && !isOrigin(c.PublicURL) {
		errs = append(errs, fmt.Errorf("--public-url: %q; expected scheme and host in lower case, such as https://wx.example.com", c.PublicURL))
	}
	for _, host := range c.ReturnHosts {
		if !isHost(host) {
			errs = append(errs, fmt.Errorf("--return-hosts: %q; expected a whole host in lower case, such as www.example.com", host))
		}
	}
	_, err := login.ParseSessionKeys(c.SessionKey)
	return errors.Join(append(errs, err)...)
}

// hostPattern is a host as browsers write it: a name in lower case, or an address, and a port.
var hostPattern = regexp.MustCompile(`^([a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

func isHost(text string) bool { return hostPattern.MatchString(text) }

// isOrigin reports whether text is a web origin as browsers write it; slashes at its end do not matter.
func isOrigin(text string) bool {
	scheme, host, _ := strings.Cut(strings.TrimRight(text, "/"), "://")
	return (scheme == "http" || scheme == "https") && isHost(host)
}

// Server is a gateway whose addresses are bound.
type Server struct {
	public, internal *service.HTTP
	conns            []service.Conn
	accounts         *configfile.Live[*roster] // nil without an accounts file
	backlog          *backlog.Backlog          // nil: there is none
}

// New validates the configuration and binds the addresses.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{}
	if err := s.open(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open(cfg Config) error {
	toReplier, err := s.dial(cfg.Env, "replier", cfg.Replier, cfg.ReplierHere)
	if err != nil {
		return err
	}
	accounts, err := s.openAccounts(cfg)
	if err != nil {
		return err
	}
	if s.backlog = cfg.Backlog; s.backlog != nil {
		if err := s.backlog.ListenForQuestions(); err != nil {
			return err
		}
	}
	public := http.NewServeMux()
	var toOAuth service.Conn
	var forgets *userForgetter
	if cfg.OAuth != "" || cfg.OAuthHere != nil {
		if toOAuth, err = s.dial(cfg.Env, "oauth", cfg.OAuth, cfg.OAuthHere); err != nil {
			return err
		}
		client := oauthv1.NewOAuthServiceClient(toOAuth)
		if err := login.AddRoutes(public, login.Config{
			Log:            cfg.Env.Log,
			OAuth:          client,
			Accounts:       func() *login.Accounts { return accounts().forLogin },
			AccountsChange: cfg.AccountsFile != "",
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
	addCallbackRoutes(public, cfg, accounts, replierv1.NewReplierServiceClient(toReplier), forgets, traces)
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

func (s *Server) dial(env service.Env, name, target string, here *service.GRPC) (service.Conn, error) {
	conn, err := service.Connect(env, name, target, here)
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
