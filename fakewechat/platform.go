package fakewechat

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Config says what a Platform is.
type Config struct {
	Account Account          // the zero Account: DevAccount
	Gateway string           // the callback URL that messages are sent to; "": none can be sent
	Now     func() time.Time // nil: time.Now. All expiry goes by it; it may jump
	Log     *slog.Logger     // nil: no log
	Faults  Faults           // how it misbehaves at first

	// The internal address of a wxgate gateway that runs with --debug, such as http://127.0.0.1:8001: the chat page shows what
	// it tells of each callback; "": nothing. InternalKey is what it wants to be shown; "": nothing.
	GatewayInternal, InternalKey string

	// OnSent, where not nil, gets each customer-service message that reaches its user, in their order, before the
	// account learns that it did. The Platform waits for it, and must not be asked by it.
	OnSent func(CustomMessage)
}

// Platform is the fake of open.weixin.qq.com and api.weixin.qq.com, with a page of chats and one that lists what it saw.
// It is an http.Handler, safe for concurrent use, and its memory is bounded. Whoever serves its pages closes it.
type Platform struct {
	account Account
	now     func() time.Time
	log     *slog.Logger
	sender  *Sender             // nil without a gateway
	onSent  func(CustomMessage) // nil: nobody wants them
	mux     *http.ServeMux
	oauth   *oauthStore
	api     *apiStore
	chat    *chat
	odd     *misbehaviour
	initial Faults // Reset goes back to them
	tracer  *tracer

	ctx  context.Context // of what the chat page sends
	stop func()

	mu    sync.Mutex
	seen  []seen                // oldest first, at most maxSeen
	calls map[string]*callCount // all API calls, by path
}

const maxSeen = 200

// seen is a line of the page: an API call, or one attempt to send a callback.
type seen struct {
	At            time.Time
	What, Outcome string
	Fields        []Field
	Refused       []string
}

// New returns a Platform with one account. Its page has one user, User; others get known by what they do.
func New(cfg Config) *Platform {
	if cfg.Account == (Account{}) {
		cfg.Account = DevAccount()
	}
	p := &Platform{
		account: cfg.Account, now: cfg.Now, log: cfg.Log, onSent: cfg.OnSent, mux: http.NewServeMux(),
		oauth: newOAuthStore(), api: newAPIStore(), calls: map[string]*callCount{},
		chat: newChat(),
		odd:  &misbehaviour{calls: map[string]uint64{}, held: map[string]chan struct{}{}},
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
	if cfg.Gateway != "" {
		p.sender = &Sender{URL: cfg.Gateway, Account: cfg.Account, Now: p.now, Platform: p}
	}

	p.tracer = newTracer(cfg.GatewayInternal, cfg.InternalKey)
	p.routeChat()
	p.mux.HandleFunc("GET "+logPath, p.servePage)
	p.mux.HandleFunc("GET /fake/style.css", serveStyle)
	p.mux.Handle("POST /fake/send", http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveSend)))
	p.mux.Handle("POST "+toldPath, http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveTold)))
	p.mux.Handle(v1Path, http.NewCrossOriginProtection().Handler(p.v1()))
	p.mux.HandleFunc("GET /connect/oauth2/authorize", p.authorize("snsapi_base", "snsapi_userinfo"))
	p.mux.HandleFunc("GET /connect/qrconnect", p.authorize("snsapi_login"))
	p.handle("/sns/oauth2/access_token", http.MethodGet, snsStyle, p.sns(p.exchange))
	p.handle("/sns/oauth2/refresh_token", http.MethodGet, snsStyle, p.sns(p.refresh))
	p.handle("/sns/userinfo", http.MethodGet, snsStyle, p.sns(p.userInfo))
	p.handle("/sns/auth", http.MethodGet, snsStyle, p.sns(p.checkToken))
	for _, c := range p.accountCalls() {
		p.api.quota.daily[c.path] = c.daily
		p.handle(c.path, c.method, accountStyle, p.admit(c))
	}
	return p
}

// Account returns the platform's account.
func (p *Platform) Account() Account { return p.account }

// ServeHTTP implements http.Handler.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	p.mux.ServeHTTP(w, r)
}

// saw puts a line on the page. It must hold no secret, code or token.
func (p *Platform) saw(s seen) {
	const most = maxText + 200 // of a value, in bytes: what WeChat would show fits
	s.At = p.now()
	for i := range s.Fields {
		s.Fields[i].Value = clip(s.Fields[i].Value, most)
	}
	s.What, s.Outcome = clip(s.What, most), clip(s.Outcome, most)

	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) == maxSeen {
		p.seen = slices.Delete(p.seen, 0, 1)
	}
	p.seen = append(p.seen, s)
}

// newest returns the page's lines, the newest first.
func (p *Platform) newest() []seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := slices.Clone(p.seen)
	slices.Reverse(s)
	return s
}
