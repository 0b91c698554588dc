package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
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
	accounts func() *roster // those of the moment
	replier  replierv1.ReplierServiceClient
	forgets  *forgetter // nil where there is no oauthsvc
	owed     *owed
	traces   *traces // nil: debugging is off
	timeout  time.Duration
	maxText  int
	maxSkew  time.Duration
	total    *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// routeCallbacks adds the callback routes. forgets and traces may be nil.
func routeCallbacks(mux *http.ServeMux, cfg Config, accounts func() *roster, replier replierv1.ReplierServiceClient, forgets *forgetter, traces *traces) {
	c := &callbacks{
		accounts: accounts,
		replier:  replier,
		forgets:  forgets,
		owed:     newOwed(cfg),
		traces:   traces,
		timeout:  cfg.ReplyTimeout,
		maxText:  cfg.MaxText,
		maxSkew:  cfg.MaxSkew,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_callbacks_total",
			Help: "Callbacks by outcome: replied, silent, verified; deferred where the answer follows, stored where no replier was there, repeated where another attempt was answered meanwhile, hold where WeChat is to ask again, dropped, given_up; replier_failed, reply_refused, panic; or why one was refused.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "wxgate_callback_seconds",
			Help:    "From a callback's arrival to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 4.5, 5},
		}),
	}
	cfg.Env.Registerer.MustRegister(c.total, c.seconds)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, c.accounts().main) })
	mux.HandleFunc("/wechat/{account}", func(w http.ResponseWriter, r *http.Request) {
		a := c.accounts().byName[r.PathValue("account")]
		if a == nil {
			http.NotFound(w, r)
			return
		}
		c.serve(w, r, a)
	})
}

// response is what WeChat gets.
type response struct {
	outcome string // for log and metric, from a fixed set
	xml     bool
	body    []byte
	hold    bool // not ready: no answer now
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
	t := c.traces.begin(r, a, start)
	defer func() {
		p := recover()
		if service.Aborted(p) {
			defer panic(p)
		} else if p != nil {
			line.Fail(service.PanicError(p))
			t.keep(outcome)
			write(w, accepted(outcome))
		}
		line.Add(slog.String("outcome", outcome))
		c.total.WithLabelValues(outcome).Inc()
		c.seconds.Observe(time.Since(start).Seconds())
	}()
	answer, err := c.answer(w, r, a, start, t)
	if no, ok := errors.AsType[*refusal](err); ok {
		outcome = no.reason
		t.keep(outcome)
		no.write(w)
		return
	}
	t.keep(answer.outcome)
	if answer.hold {
		outcome = answer.outcome
		hold(r.Context(), start)
	}
	write(w, answer)
	outcome = answer.outcome
}

// hangUp is when WeChat has certainly hung up (platform page "消息推送": after 5 seconds).
const hangUp = 6 * time.Second

// hold leaves WeChat without an answer, so that it hangs up and sends the message again: the answer is not ready.
func hold(ctx context.Context, start time.Time) {
	ctx, cancel := context.WithDeadline(ctx, start.Add(hangUp))
	defer cancel()
	<-ctx.Done()
	panic(http.ErrAbortHandler)
}

// answer is the way of a callback. Its errors are refusals.
func (c *callbacks) answer(w http.ResponseWriter, r *http.Request, a *account, now time.Time, t *trace) (response, error) {
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
	if err := a.checkQuery(q, now, c.maxSkew); err != nil {
		return response{}, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return response{}, err
	}
	in, err := a.open(q, body, now)
	if err != nil {
		return response{}, err
	}
	msg := in.Message()
	msg.Account = a.Name
	msg.ContentHash = msg.HashContent()
	if err := a.checkReceiver(msg); err != nil {
		return response{}, err
	}
	t.opened(msg)
	note(service.LineOf(r.Context()), msg)
	ctx, cancel := context.WithDeadline(r.Context(), now.Add(c.timeout-margin))
	defer cancel()
	forgotten := c.forgets.start(ctx, msg)
	said := c.ask(ctx, msg, t)
	forgotten()
	switch {
	case said.missed:
		said = c.owed.settle(r.Context(), now, now.Add(c.timeout), a, msg)
		t.hop("store")
	case !said.hold && !said.follows && c.owed.stored(r.Context(), msg, said.unsure): // another attempt did, and its answer follows
		said = saidBefore
	case !said.hold && !said.follows:
		c.owed.answered(msg)
	}
	if said.hold && r.Context().Err() == nil && c.owed.lastAttempt(msg, q.signed()) {
		said = c.owed.sorry(msg, "given_up")
		c.owed.answered(msg)
	}
	if said.hold {
		return response{outcome: "hold", hold: true}, nil
	}
	reply := c.fitReply(r.Context(), msg, said.reply)
	xml := wechat.EncodeReply(reply, msg.GetFromUserName(), msg.GetToUserName(), time.Now().Unix())
	if xml == nil {
		return accepted(said.outcome), nil
	}
	if said.outcome == "silent" {
		said.outcome = "replied"
	}
	if q.sealed {
		xml = in.cipher.SealReply(in.token, xml, time.Now().Unix(), rand.Text())
	}
	return response{outcome: said.outcome, xml: true, body: xml}, nil
}

// verify answers the GET with which WeChat's console checks the URL; echostr is in the clear in every mode.
func (c *callbacks) verify(q query, a *account, now time.Time) (response, error) {
	if err := a.checkURL(q, now); err != nil {
		return response{}, err
	}
	if err := checkTime(q, now, c.maxSkew); err != nil {
		return response{}, err
	}
	return response{outcome: "verified", body: []byte(q.echostr)}, nil
}

// said is what comes of a message.
type said struct {
	reply   *wechatv1.Reply // nil: nothing is said
	outcome string          // for log and metric
	hold    bool            // WeChat is to send the message again
	follows bool            // the answer is another, and comes by another way
	missed  bool            // no replier answered in time, or stored the message
	unsure  bool            // the replier could not learn whether the message is stored
}

// mayDefer is in every request, which nobody changes.
var mayDefer = &replierv1.Coordination{MayDefer: true}

// ask gets the replier's answer while ctx lasts.
func (c *callbacks) ask(ctx context.Context, msg *wechatv1.Message, t *trace) said {
	// A replier that restarts is waited for, as long as WeChat waits for us.
	options := []grpc.CallOption{grpc.WaitForReady(true),
		service.Sticky(msg.GetAccount(), msg.GetFromUserName())} // the replier that saw WeChat's first attempt
	if t != nil {
		ctx, options = t.calling(ctx, options)
	}
	resp, err := c.replier.Reply(ctx, &replierv1.ReplyRequest{Message: msg, Coordination: mayDefer}, options...)
	t.hop("replier")
	if err != nil {
		// The code alone: a bot may put the message into its error's text.
		code := status.Code(err)
		service.LineOf(ctx).Fail(errors.New("replier: " + code.String()))
		if missed(code) {
			return said{missed: true}
		}
		return c.owed.sorry(msg, "replier_failed")
	}
	reply := leaveOut(ctx, msg, resp.GetReply())
	if err := reply.Validate(); err != nil {
		service.LineOf(ctx).Fail(errors.New("the replier's reply is not one that WeChat takes: " + err.Error()))
		return c.owed.sorry(msg, "reply_refused")
	}
	state := resp.GetCoordination().GetState()
	switch state {
	case replierv1.ReplyState_REPLY_STATE_HOLD:
		return said{hold: true}
	case replierv1.ReplyState_REPLY_STATE_UNSTORED:
		return said{hold: true, missed: true}
	case replierv1.ReplyState_REPLY_STATE_GIVEN_UP:
		return c.owed.sorry(msg, "given_up")
	case replierv1.ReplyState_REPLY_STATE_DEFERRED:
		return said{reply: reply, outcome: "deferred", follows: true}
	}
	return said{reply: reply, outcome: "silent", unsure: state == replierv1.ReplyState_REPLY_STATE_UNSURE}
}

// missed tells whether a code says that no replier answered, or that the call was cut off: another may answer the message.
func missed(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted, codes.Aborted:
		return true
	}
	return false
}

// note adds what is known of a message to the request's log line.
func note(line *service.Line, msg *wechatv1.Message) {
	line.Add(slog.String("user", service.Short(msg.GetFromUserName())), slog.String("msg_type", service.Clip(msg.GetMsgType(), service.MaxName)))
	if id := msg.GetMsgId(); id != 0 {
		line.Add(slog.Int64("msg_id", id))
	}
	if e := msg.GetEvent(); e != nil {
		line.Add(slog.String("event", service.Clip(e.GetEvent(), service.MaxName)))
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
