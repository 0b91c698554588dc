package oauthsvc

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// call is the path of one of WeChat's calls (platform.md E.2, F); also a label of metrics.
type call string

const (
	exchangeCall call = "/sns/oauth2/access_token"
	refreshCall  call = "/sns/oauth2/refresh_token"
	userInfoCall call = "/sns/userinfo"
	checkCall    call = "/sns/auth"

	tokenCall      call = "/cgi-bin/stable_token"
	ticketCall     call = "/cgi-bin/ticket/getticket"
	sendCall       call = "/cgi-bin/message/custom/send"
	typingCall     call = "/cgi-bin/message/custom/typing"
	callbackIPCall call = "/cgi-bin/getcallbackip"
	quotaCall      call = "/cgi-bin/openapi/quota/get"
)

const (
	// callTimeout leaves a browser's request time for a second call.
	callTimeout = 3 * time.Second
	// connectTimeout leaves a call time for a second host: a dial may take it, and a TLS handshake. A lost SYN is sent again
	// after a second.
	connectTimeout = 2 * time.Second
	// maxAnswer is far more than any answer needs, in bytes.
	maxAnswer = 1 << 20
)

// outcome is how a call ended.
type outcome struct {
	body    body // where failure is nil
	took    time.Duration
	failure *failure
}

// apiRequest is a call of WeChat's API with what it carries.
type apiRequest struct {
	call    call
	query   url.Values
	payload any          // sent as JSON by POST; nil: GET
	single  bool         // it is not made again, whatever comes of it
	claim   func() error // called before any of the payload leaves; with an error none does; nil: all may leave
}

// upstream is the client of WeChat's API.
type upstream struct {
	client   *http.Client
	hosts    *hosts
	timeout  time.Duration
	pause    func(ctx context.Context, wait time.Duration) bool // pause; tests don't wait
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newUpstream(bases []string, env service.Env) *upstream {
	u := &upstream{
		client: &http.Client{Transport: newTransport(), CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the query with the AppSecret goes nowhere else
		}},
		timeout: callTimeout,
		pause:   pause,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_upstream_requests_total",
			Help: "Calls of WeChat's API by path and outcome: ok, refused, unavailable, timeout, canceled.",
		}, []string{"call", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wxgate_upstream_seconds", Help: "How long calls of WeChat's API took.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 3},
		}, []string{"call"}),
	}
	u.hosts = newHosts(bases, u.probe, service.NewProblem(env, "wechat_api").Set)
	env.Registerer.MustRegister(u.requests, u.seconds)
	return u
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 32, // all connections go to one host; the default of 2 would close most of them
		IdleConnTimeout:     time.Minute,
	}
}

func (u *upstream) close() {
	u.hosts.close()
	u.client.CloseIdleConnections()
}

// do makes a call, by POST if payload is not nil, and makes it again if that may help. A body without failure has all that
// the call promises.
func (u *upstream) do(ctx context.Context, c call, query url.Values, payload any) outcome {
	return u.perform(ctx, apiRequest{call: c, query: query, payload: payload})
}

// perform is do for a request of any kind.
func (u *upstream) perform(ctx context.Context, r apiRequest) outcome {
	start := time.Now()
	for attempt := 1; ; attempt++ {
		out := u.attempt(ctx, r)
		wait, again := r.retry(out.failure, attempt)
		if !again || !u.pause(ctx, wait) {
			out.took = time.Since(start)
			return out
		}
	}
}

// attempt makes a call at the host that is preferred now.
func (u *upstream) attempt(ctx context.Context, r apiRequest) outcome {
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, u.timeout)
	defer cancel()
	host := u.hosts.pick()
	out := u.fetchOutcome(limited, host, r)
	switch f := out.failure; {
	case f == nil || !f.ofHost:
		u.hosts.works(host)
	case ctx.Err() == nil: // a caller who gave up says nothing about the host
		u.hosts.leave(host, f.cause)
	}
	took := time.Since(start)
	u.requests.WithLabelValues(string(r.call), out.label()).Inc()
	u.seconds.WithLabelValues(string(r.call)).Observe(took.Seconds())
	return out
}

// fetchOutcome makes a call at a host.
func (u *upstream) fetchOutcome(ctx context.Context, host string, r apiRequest) outcome {
	gate, err := newGate(r)
	if err != nil {
		return outcome{failure: failed(ctx, err)}
	}
	data, err := u.fetch(ctx, host, r, gate)
	opened, refused := gate.shut()
	out := outcome{}
	switch {
	case refused != nil:
		out.failure = failed(ctx, refused)
	case err != nil:
		out.failure = unreachable(ctx, err)
	default:
		out.body, out.failure = understand(r.call, data)
		if out.failure == nil && r.call == userInfoCall && out.body.OpenID != r.query.Get("openid") {
			out = outcome{failure: unexpected(answerError("an answer about another user than asked"))}
		}
	}
	if f := out.failure; f != nil {
		f.unsent = r.payload != nil && !opened
		f.maybeSent = r.call == sendCall && f.errcode == "" && opened
	}
	return out
}

// probe reports, by its error, whether a host answers as WeChat's API does. A call without a token is refused in JSON.
func (u *upstream) probe(ctx context.Context, host string) error {
	if f := u.fetchOutcome(ctx, host, apiRequest{call: callbackIPCall}).failure; f != nil && f.errcode == "" {
		return f.cause
	}
	return nil
}

// label returns the outcome for metrics.
func (o *outcome) label() string {
	switch {
	case o.failure == nil:
		return "ok"
	case o.failure.code == codes.Canceled:
		return "canceled"
	case o.failure.reason == oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:
		return "timeout"
	case o.failure.errcode == "":
		return "unavailable"
	}
	return "refused"
}

// fetch returns the answer of a host, as it came.
func (u *upstream) fetch(ctx context.Context, host string, r apiRequest, gate *bodyGate) ([]byte, error) {
	address := host + string(r.call)
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	if r.payload != nil {
		gate.attach(req)
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK { // WeChat's refusals come with 200 too (platform.md E.3)
		return nil, answerError(fmt.Sprintf("HTTP status %d", resp.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = answerError(fmt.Sprintf("an answer of more than %d MiB", maxAnswer>>20))
	}
	return data, err
}
