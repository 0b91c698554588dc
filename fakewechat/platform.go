// Package fakewechat is a fake of WeChat's platform: it sends signed callbacks as WeChat does, judges the answers as
// WeChat would, and serves the pages and calls of web OAuth and the account's API: access_token, jsapi_ticket,
// customer-service messages, quotas. NOT FOR PRODUCTION: it requires no password, and forgets its state on exit.
//
// The facts come from the platform's pages "网页授权" (web authorization), "接口调用凭据" (access_token) and "客服消息"
// (customer-service messages), and from recorded traffic; package sender has those of callbacks and replies.
//
// A test starts it with Start and sends messages with Send. It controls a Platform with Config.Now, Config.OnSent, Put, Calls,
// Did, Sent, Fail, ExpireToken, RefuseIP, SetFaults and Reset; tests in other languages do so over HTTP (docs/FAKE.md).
package fakewechat

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/internal/rebinding"
)

// Config configures a Platform.
type Config struct {
	Account sender.Account   // the zero Account: DevAccount
	Gateway string           // the callback URL that messages are sent to; "": none can be sent
	Now     func() time.Time // nil: time.Now. All expiry follows it; it may jump
	Log     *slog.Logger     // nil: no log
	Faults  Faults           // the faults at the start

	// GatewayInternal is the internal address of a wxgate gateway that runs with --debug, such as http://127.0.0.1:8001: the
	// chat page shows its traces of callbacks; "": none. InternalKey is that gateway's internal key; "": it has none.
	GatewayInternal, InternalKey string

	// ChatFile keeps the chats, with their users' follow state and windows, until the next New with the same file; "": they end
	// with the Platform. It holds texts of users.
	ChatFile string

	// OnSent, if not nil, gets each customer-service message that reaches its user, in their order, before the call of the
	// account is answered. The Platform waits for it; OnSent must not call the Platform.
	OnSent func(CustomMessage)
}

// Platform is the fake of open.weixin.qq.com and api.weixin.qq.com, with a page of chats and a page that lists all calls and
// callbacks. It is an http.Handler, safe for concurrent use, and its memory is bounded. The program that serves its pages must
// close it.
type Platform struct {
	now        func() time.Time
	log        *slog.Logger
	onSent     func(CustomMessage) // or nil
	mux        *http.ServeMux
	chat       *chatStore
	faultState *faultRun
	first      Config // for Reset: its account, and the initial faults
	initial    Faults
	tracer     *gatewayTracer

	keeping chan struct{} // closed when the ChatFile is no longer written; nil without a ChatFile

	ctx  context.Context // of the messages that the chat page sends
	stop func()

	mu       sync.Mutex
	accounts []*account            // the Config's first
	logLines []logLine             // oldest first, at most maxLogLines
	calls    map[string]*callCount // all API calls, by path
}

// New returns a Platform with one account; Put adds more. Its page has one user, User; other users become known by their
// actions.
func New(cfg Config) *Platform {
	if cfg.Account == (sender.Account{}) {
		cfg.Account = sender.DevAccount()
	}
	p := &Platform{
		now: cfg.Now, log: cfg.Log, onSent: cfg.OnSent, mux: http.NewServeMux(), calls: map[string]*callCount{},
		chat:       newChat(cfg.Account.AppID),
		faultState: &faultRun{calls: map[string]uint64{}, held: map[string]chan struct{}{}},
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.initial = cfg.Faults
	if cfg.Faults.String() != noFaults {
		p.initial = p.SetFaults(cfg.Faults)
	}
	p.first = cfg
	p.accounts = []*account{p.newAccount(cfg.Account, cfg.Gateway)}
	p.tracer = newTracer(cfg.GatewayInternal, cfg.InternalKey)
	p.addRoutes()
	if cfg.ChatFile != "" {
		p.readChats()
		p.keeping = make(chan struct{})
		go p.keepChats()
	}
	return p
}

// addRoutes adds all pages and calls to the mux.
func (p *Platform) addRoutes() {
	p.routeChat()
	p.mux.HandleFunc("GET "+logPath, p.serveLog)
	p.mux.HandleFunc("GET /fake/style.css", serveStyle(styleCSS))
	p.mux.HandleFunc("GET /fake/authorize.css", serveStyle(authorizeCSS))
	p.mux.Handle("POST /fake/send", http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveSend)))
	p.mux.Handle("POST "+sender.AnnouncePath, http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveAnnounced)))
	p.mux.Handle(controlPath, http.NewCrossOriginProtection().Handler(p.controlHandler()))
	p.mux.HandleFunc("GET /connect/oauth2/authorize", p.authorizeHandler(scopeBase, scopeUserInfo))
	p.mux.HandleFunc("GET /connect/qrconnect", p.authorizeHandler(scopeLogin))
	p.handleCall("/sns/oauth2/access_token", http.MethodGet, snsStyle, p.snsHandler((*account).exchangeCode))
	p.handleCall("/sns/oauth2/refresh_token", http.MethodGet, snsStyle, p.snsHandler((*account).refreshToken))
	p.handleCall("/sns/userinfo", http.MethodGet, snsStyle, p.snsHandler((*account).userInfo))
	p.handleCall("/sns/auth", http.MethodGet, snsStyle, p.snsHandler((*account).checkToken))
	for _, c := range accountCalls() {
		p.handleCall(c.path, c.method, accountStyle, p.apiHandler(c))
	}
	p.mux.HandleFunc("/", p.serveNotSimulated)
}

// Account returns the account of the Config.
func (p *Platform) Account() sender.Account { return p.accountByAppID("").settings }

// ServeHTTP implements http.Handler.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if foreignHost(r) {
		http.Error(w, "open the page by its address, such as http://127.0.0.1:8010/, or as localhost: a stranger's name could point here", http.StatusForbidden)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// foreignHost reports whether a request for the page, or for the control API, uses a host name that a stranger can point to
// this address. The paths of WeChat's own hosts may be called by any name: they return nothing without a secret.
func foreignHost(r *http.Request) bool {
	return (r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/fake/")) && rebinding.ForeignHost(r.Host)
}
