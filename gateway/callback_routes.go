package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/service"
	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
)

// callbackHandler answers WeChat.
type callbackHandler struct {
	accounts func() *accountSet // those of the moment
	replier  replierv1.ReplierServiceClient
	forgets  *userForgetter // nil without oauthsvc
	fallback *fallback
	traces   *traceLog // nil: debugging is off
	timeout  time.Duration
	maxText  int
	maxSkew  time.Duration
	total    *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// addCallbackRoutes adds the routes of callbacks. forgets and kept may be nil.
func addCallbackRoutes(mux *http.ServeMux, cfg Config, accounts func() *accountSet, replier replierv1.ReplierServiceClient, forgets *userForgetter, kept *traceLog) {
	c := &callbackHandler{
		accounts: accounts,
		replier:  replier,
		forgets:  forgets,
		fallback: newFallback(cfg),
		traces:   kept,
		timeout:  cfg.ReplyTimeout,
		maxText:  cfg.MaxText,
		maxSkew:  cfg.MaxSkew,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_callbacks_total",
			Help: outcomeHelp(),
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "wxgate_callback_seconds",
			Help:    "Time from a callback's arrival to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 4.5, 5},
		}),
	}
	cfg.Env.Registerer.MustRegister(c.total, c.seconds)
	mux.HandleFunc("/{$}", c.handleAccount(func(*http.Request) *readyAccount { return c.accounts().main }))
	mux.HandleFunc("/wechat/{account}", c.handleAccount(func(r *http.Request) *readyAccount { return c.accounts().byName[r.PathValue("account")] }))
}

// errHold is returned for a callback that gets no response: WeChat is to send the message again.
var errHold = errors.New("the answer is not ready")

// handleAccount returns the handler of the callbacks of the account that find returns; nil: there is none.
func (c *callbackHandler) handleAccount(find func(*http.Request) *readyAccount) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := find(r)
		if a == nil {
			http.NotFound(w, r)
			return
		}
		if err := c.serve(w, r, a); errors.Is(err, errHold) {
			panic(http.ErrAbortHandler) // closes the connection without a response
		}
	}
}

// serve answers one request, also if the gateway panics. It returns errHold if WeChat is to get no response.
func (c *callbackHandler) serve(w http.ResponseWriter, r *http.Request, a *readyAccount) error {
	arrived := time.Now()
	line := service.LineOf(r.Context())
	line.Add(slog.String("account", a.Name))
	outcome := outcomePanic
	t := c.traces.startTrace(r, a, arrived)
	defer func() {
		if p := recover(); p != nil {
			line.Fail(service.PanicError(p))
			t.finishTrace(outcome)
			successResponse(outcome).writeTo(w)
		}
		line.Add(slog.String("outcome", string(outcome)))
		c.total.WithLabelValues(string(outcome)).Inc()
		c.seconds.Observe(time.Since(arrived).Seconds())
	}()
	answer, err := c.answer(w, r, a, arrived, t)
	if refused, ok := errors.AsType[*refusal](err); ok {
		outcome = refused.outcome
		t.finishTrace(outcome)
		refused.writeTo(w)
		return nil
	}
	t.finishTrace(answer.outcome)
	if answer.outcome == outcomeHold {
		outcome = outcomeHold
		waitForHangUp(r.Context(), arrived)
		return errHold
	}
	answer.writeTo(w)
	outcome = answer.outcome
	return nil
}

// hangUp is when WeChat has certainly hung up (platform page "消息推送": after 5 seconds).
const hangUp = 6 * time.Second

// waitForHangUp waits until WeChat has hung up.
func waitForHangUp(ctx context.Context, arrived time.Time) {
	ctx, cancel := context.WithDeadline(ctx, arrived.Add(hangUp))
	defer cancel()
	<-ctx.Done()
}

// response is the HTTP response to a callback.
type response struct {
	outcome callbackOutcome
	xml     bool
	body    []byte
}

// successResponse tells WeChat that there is nothing to say.
func successResponse(outcome callbackOutcome) response {
	return response{outcome: outcome, body: []byte(wechat.Success)}
}

func (r response) writeTo(w http.ResponseWriter) {
	kind := "text/plain; charset=utf-8"
	if r.xml {
		kind = "text/xml; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(r.body)
}

func (r *refusal) writeTo(w http.ResponseWriter) {
	if r.allow != "" {
		w.Header().Set("Allow", r.allow)
	}
	text := http.StatusText(r.status)
	if r.detail != "" {
		text += ": " + r.detail
	}
	http.Error(w, text, r.status)
}
