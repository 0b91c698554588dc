package fakewechat

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
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
	now     func() time.Time
	log     *slog.Logger
	onSent  func(CustomMessage) // nil: nobody wants them
	mux     *http.ServeMux
	chat    *chat
	odd     *misbehaviour
	first   Config // Reset goes back to its account, and to
	initial Faults
	tracer  *tracer

	keeping chan struct{} // closed when the ChatFile is not written any more; nil without one

	ctx  context.Context // of what the chat page sends
	stop func()

	mu       sync.Mutex
	accounts []*official           // the Config's first
	seen     []seen                // oldest first, at most maxSeen
	calls    map[string]*callCount // all API calls, by path
}

const maxSeen = 200

// seen is a line of the page: an API call, or one attempt to send a callback.
type seen struct {
	At                time.Time
	What, Outcome     bilingual
	Fields            []sender.Field
	Refused, Warnings []bilingual
}

// New returns a Platform with one account; Put adds more. Its page has one user, User; others get known by what they do.
func New(cfg Config) *Platform {
	if cfg.Account == (sender.Account{}) {
		cfg.Account = sender.DevAccount()
	}
	p := &Platform{
		now: cfg.Now, log: cfg.Log, onSent: cfg.OnSent, mux: http.NewServeMux(), calls: map[string]*callCount{},
		chat: newChat(cfg.Account.AppID),
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
	p.first = cfg
	p.accounts = []*official{p.newOfficial(cfg.Account, cfg.Gateway)}

	p.tracer = newTracer(cfg.GatewayInternal, cfg.InternalKey)
	p.routeChat()
	p.mux.HandleFunc("GET "+logPath, p.servePage)
	p.mux.HandleFunc("GET /fake/style.css", serveStyle(styleCSS))
	p.mux.HandleFunc("GET /fake/authorize.css", serveStyle(authorizeCSS))
	p.mux.Handle("POST /fake/send", http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveSend)))
	p.mux.Handle("POST "+sender.AnnouncePath, http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.serveTold)))
	p.mux.Handle(v1Path, http.NewCrossOriginProtection().Handler(p.v1()))
	p.mux.HandleFunc("GET /connect/oauth2/authorize", p.authorize("snsapi_base", "snsapi_userinfo"))
	p.mux.HandleFunc("GET /connect/qrconnect", p.authorize("snsapi_login"))
	p.handle("/sns/oauth2/access_token", http.MethodGet, snsStyle, p.sns((*official).exchange))
	p.handle("/sns/oauth2/refresh_token", http.MethodGet, snsStyle, p.sns((*official).refresh))
	p.handle("/sns/userinfo", http.MethodGet, snsStyle, p.sns((*official).userInfo))
	p.handle("/sns/auth", http.MethodGet, snsStyle, p.sns((*official).checkToken))
	for _, c := range accountCalls() {
		p.handle(c.path, c.method, accountStyle, p.api(c))
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
func (p *Platform) Account() sender.Account { return p.of("").account }

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

// saw puts a line on the page. It must hold no secret, code or token.
func (p *Platform) saw(s seen) {
	const most = sender.MaxText + 200 // of a value, in bytes: what WeChat would show fits
	s.At = p.now()
	for i := range s.Fields {
		s.Fields[i].Value = sender.Clip(s.Fields[i].Value, most)
	}
	for l := range s.What {
		s.What[l], s.Outcome[l] = sender.Clip(s.What[l], most), sender.Clip(s.Outcome[l], most)
	}

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
