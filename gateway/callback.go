package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"wxgate/internal/service"
	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// margin is kept from the reply timeout for what comes after the replier's answer.
const margin = 100 * time.Millisecond

// callbacks answers WeChat.
type callbacks struct {
	accounts map[string]*account
	main     *account // the one on "/"
	replier  replierv1.ReplierServiceClient
	timeout  time.Duration
	maxText  int
	maxSkew  time.Duration
	total    *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// routeCallbacks adds the callback routes.
func routeCallbacks(mux *http.ServeMux, cfg Config, replier replierv1.ReplierServiceClient) error {
	c := &callbacks{
		accounts: map[string]*account{},
		replier:  replier,
		timeout:  cfg.ReplyTimeout,
		maxText:  cfg.MaxText,
		maxSkew:  cfg.MaxSkew,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_callbacks_total",
			Help: "Callbacks by outcome: replied, silent, verified, replier_failed, reply_refused, panic, or why one was refused.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "wxgate_callback_seconds",
			Help:    "From a callback's arrival to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 4.5, 5},
		}),
	}
	for _, a := range cfg.Accounts {
		ready, err := newAccount(a)
		if err != nil {
			return err
		}
		c.accounts[a.Name] = ready
		if c.main == nil {
			c.main = ready
		}
	}
	cfg.Env.Registerer.MustRegister(c.total, c.seconds)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, c.main) })
	mux.HandleFunc("/wechat/{account}", func(w http.ResponseWriter, r *http.Request) {
		a, ok := c.accounts[r.PathValue("account")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		c.serve(w, r, a)
	})
	return nil
}

// response is what WeChat gets.
type response struct {
	outcome string // for log and metric, from a fixed set
	xml     bool
	body    []byte
}

// accepted tells WeChat that there is nothing to say.
func accepted(outcome string) response {
	return response{outcome: outcome, body: []byte(wechat.Success)}
}

// serve answers one request, whatever happens.
func (c *callbacks) serve(w http.ResponseWriter, r *http.Request, a *account) {
	start := time.Now()
	line := service.LineOf(r.Context())
	line.Add(slog.String("account", a.Name))
	outcome := "panic"
	defer func() {
		if p := recover(); p != nil {
			line.Fail(service.PanicError(p))
			write(w, accepted(outcome))
		}
		line.Add(slog.String("outcome", outcome))
		c.total.WithLabelValues(outcome).Inc()
		c.seconds.Observe(time.Since(start).Seconds())
	}()
	answer, err := c.answer(w, r, a, start)
	var no *refusal
	if errors.As(err, &no) {
		outcome = no.reason
		no.write(w)
		return
	}
	write(w, answer)
	outcome = answer.outcome
}

// answer is the way of a callback. Its errors are refusals.
func (c *callbacks) answer(w http.ResponseWriter, r *http.Request, a *account, now time.Time) (response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return response{}, &refusal{status: http.StatusMethodNotAllowed, reason: "method", allow: "GET, POST"}
	}
	q, err := parseQuery(r.Method, r.URL.RawQuery)
	if err != nil {
		return response{}, err
	}
	if r.Method == http.MethodGet {
		return c.verify(q, a, now)
	}
	body, err := readBody(w, r)
	if err != nil {
		return response{}, err
	}
	doc, err := a.open(q, body, now, c.maxSkew)
	if err != nil {
		return response{}, err
	}
	msg := doc.Message()
	msg.Account = a.Name
	note(service.LineOf(r.Context()), msg)
	reply, outcome := c.ask(r.Context(), msg, now)
	reply = c.cut(r.Context(), reply)
	xml := wechat.EncodeReply(reply, msg.GetFromUserName(), msg.GetToUserName(), time.Now().Unix())
	if xml == nil {
		return accepted(outcome), nil
	}
	if q.sealed {
		xml = a.cipher.SealReply(a.token, xml, time.Now().Unix(), rand.Text())
	}
	return response{"replied", true, xml}, nil
}

// verify answers the GET with which WeChat's console checks the URL; echostr is in the clear in every mode.
func (c *callbacks) verify(q query, a *account, now time.Time) (response, error) {
	if err := a.checkURL(q); err != nil {
		return response{}, err
	}
	if err := checkTime(q, now, c.maxSkew); err != nil {
		return response{}, err
	}
	return response{outcome: "verified", body: []byte(q.echostr)}, nil
}

// ask gets the replier's answer in what is left of the time; where there is none, nil and the outcome.
func (c *callbacks) ask(ctx context.Context, msg *wechatv1.Message, start time.Time) (*wechatv1.Reply, string) {
	ctx, cancel := context.WithDeadline(ctx, start.Add(c.timeout-margin))
	defer cancel()
	// A replier that restarts is waited for, as long as WeChat waits for us.
	resp, err := c.replier.Reply(ctx, &replierv1.ReplyRequest{Message: msg}, grpc.WaitForReady(true))
	if err != nil {
		// The code alone: a bot may put the message into its error's text.
		service.LineOf(ctx).Fail(errors.New("replier: " + status.Code(err).String()))
		return nil, "replier_failed"
	}
	if err := resp.GetReply().Validate(); err != nil {
		service.LineOf(ctx).Fail(errors.New("the replier's reply is not one that WeChat takes: " + err.Error()))
		return nil, "reply_refused"
	}
	return resp.GetReply(), "silent"
}

// cut returns a reply whose text WeChat shows: one that is too long ends at the last whole character that fits.
func (c *callbacks) cut(ctx context.Context, reply *wechatv1.Reply) *wechatv1.Reply {
	text := reply.GetText().GetContent()
	if c.maxText == 0 || len(text) <= c.maxText {
		return reply
	}
	end := c.maxText
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	service.LineOf(ctx).Add(slog.Int("text_bytes", len(text)), slog.Int("cut_to", end))
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: text[:end]}}}
}

// note adds what is known of a message to the request's log line.
func note(line *service.Line, msg *wechatv1.Message) {
	line.Add(slog.String("user", service.Short(msg.GetFromUserName())), slog.String("msg_type", msg.GetMsgType()))
	if id := msg.GetMsgId(); id != 0 {
		line.Add(slog.Int64("msg_id", id))
	}
	if e := msg.GetEvent(); e != nil {
		line.Add(slog.String("event", e.GetEvent()))
	}
}

func write(w http.ResponseWriter, r response) {
	kind := "text/plain; charset=utf-8"
	if r.xml {
		kind = "text/xml; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(r.body)
}

func (r *refusal) write(w http.ResponseWriter) {
	if r.allow != "" {
		w.Header().Set("Allow", r.allow)
	}
	text := http.StatusText(r.status)
	if r.detail != "" {
		text += ": " + r.detail
	}
	http.Error(w, text, r.status)
}
