// Package fakewechat is a fake of WeChat's platform: it sends signed callbacks as WeChat does, judges the answers as
// WeChat would, and serves the pages and calls of web OAuth and the account's API: access_token, jsapi_ticket,
// customer-service messages, quotas. NOT FOR PRODUCTION: it asks nobody for a password, and forgets all on exit.
//
// The facts come from the platform's pages "消息推送" (message push), "消息加解密" (message encryption),
// "被动回复用户消息" (passive reply), "网页授权" (web authorization), "接口调用凭据" (access_token) and "客服消息"
// (customer-service messages), and from recorded traffic. Answers are read with encoding/xml and not with the gateway's
// own parser, so that a mistake there is not made twice.
//
// A test starts one with Start and sends messages with Send. It steers a Platform with Config.Now, Config.OnSent, Put, Calls,
// Did, Sent, Fail, ExpireToken, RefuseIP, SetFaults and Reset; one in another language does so over HTTP (docs/FAKE.md).
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

// Config says what a Platform is.
type Config struct {
	Account sender.Account   // the zero Account: DevAccount
	Gateway string           // the callback URL that messages are sent to; "": none can be sent
	Now     func() time.Time // nil: time.Now. All expiry goes by it; it may jump
	Log     *slog.Logger     // nil: no log
	Faults  Faults           // how it misbehaves at first

	// The internal address of a wxgate gateway that runs with --debug, such as http://127.0.0.1:8001: the chat page shows what
	// it tells of each callback; "": nothing. InternalKey is what it wants to be shown; "": nothing.
	GatewayInternal, InternalKey string

	// ChatFile keeps the chats, with their users' follow state and windows, until the next New with the same file; "": they end
	// with the Platform. It holds what users wrote.
	ChatFile string

	// OnSent, where not nil, gets each customer-service message that reaches its user, in their order, before the
	// account learns that it did. The Platform waits for it, and must not be asked by it.
	OnSent func(CustomMessage)
}

// Platform is the fake of open.weixin.qq.com and api.weixin.qq.com, with a page of chats and one that lists what it saw.
// It is an http.Handler, safe for concurrent use, and its memory is bounded. Whoever serves its pages closes it.
type Platform struct {
	now        func() time.Time
	log        *slog.Logger
	onSent     func(CustomMessage) // nil: nobody wants them
	mux        *http.ServeMux
	chat       *chatStore
	faultState *faultRun
	first      Config // Reset goes back to its account, and to
	initial    Faults
	tracer     *gatewayTracer

	keeping chan struct{} // closed when the ChatFile is not written any more; nil without one

	ctx  context.Context // of what the chat page sends
	stop func()

	mu       sync.Mutex
	accounts []*account            // the Config's first
	logLines []logLine             // oldest first, at most maxSeen
	calls    map[string]*callCount // all API calls, by path
}

// New returns a Platform with one account; Put adds more. Its page has one user, User; others get known by what they do.
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
	p.routeChat()
	p.mux.HandleFunc("GET "+logPath, p.serveLog)
	p.mux.HandleFunc("GET /fake/style.css", serveStyle(styleCSS))
	p.mux.HandleFunc("GET /fake/authorize.css", serveStyle(authorizeCSS))
	p.mux.Handle("POST /fake/send", http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveSend)))
	p.mux.Handle("POST "+sender.AnnouncePath, http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveAnnounced)))
	p.mux.Handle(controlPath, http.NewCrossOriginProtection().Handler(p.controlHandler()))
	p.mux.HandleFunc("GET /connect/oauth2/authorize", p.authorizeHandler("snsapi_base", "snsapi_userinfo"))
	p.mux.HandleFunc("GET /connect/qrconnect", p.authorizeHandler("snsapi_login"))
	p.handleCall("/sns/oauth2/access_token", http.MethodGet, snsStyle, p.snsHandler((*account).exchangeCode))
	p.handleCall("/sns/oauth2/refresh_token", http.MethodGet, snsStyle, p.snsHandler((*account).refreshToken))
	p.handleCall("/sns/userinfo", http.MethodGet, snsStyle, p.snsHandler((*account).userInfo))
	p.handleCall("/sns/auth", http.MethodGet, snsStyle, p.snsHandler((*account).checkToken))
	for _, c := range accountCalls() {
		p.handleCall(c.path, c.method, accountStyle, p.apiHandler(c))
	}
	p.mux.HandleFunc("/", p.serveNotSimulated)
	if cfg.ChatFile != "" {
		p.readChats()
		p.keeping = make(chan struct{})
		go p.keepChats()
	}
	return p
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

// foreignHost reports whether a request is for the page, or for what steers the platform, by a name that a stranger can
// make point here. What stands in for WeChat's own hosts goes by any name: it shows nothing without a secret.
func foreignHost(r *http.Request) bool {
	return (r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/fake/")) && rebinding.ForeignHost(r.Host)
}
