// Package wechatapi is the client of WeChat's API, api.weixin.qq.com. The table of its calls is in calls.go.
package wechatapi

import (
	"context"
	"errors"
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

const (
	// callTimeout leaves a browser's request time for a second call.
	callTimeout = 3 * time.Second
	// connectTimeout leaves a call time for a second host: a dial may take it, and a TLS handshake. A lost SYN is sent again
	// after a second.
	connectTimeout = 2 * time.Second
	// maxAnswer is far more than any answer needs, in bytes.
	maxAnswer = 1 << 20
)

// Request is a call with its parameters.
type Request struct {
	Call    *Call
	Query   url.Values
	Payload any          // of a POST: sent as JSON
	Once    bool         // the call is not made again, however it fails
	Claim   func() error // of a POST: called before any of the payload is sent; if it fails, none is, and its error is the outcome's; nil: all may be sent
}

// Outcome is how a call ended.
type Outcome struct {
	Answer  Answer // nil if the call failed; it has all that the call's row requires
	Took    time.Duration
	Failure *Failure // nil if the call succeeded
}

// Client makes calls of WeChat's API. It is safe for concurrent use.
type Client struct {
	// The caller may replace these before the first call.
	HTTP    *http.Client
	Timeout time.Duration                                           // of an attempt
	Pause   func(ctx context.Context, wait time.Duration) (ok bool) // waits before a call is made again; false: it is not made

	hosts    *hosts
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// New returns a client of the hosts at bases, the preferred one first.
func New(bases []string, env service.Env) *Client {
	c := &Client{
		HTTP: &http.Client{Transport: newTransport(), CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the query with the AppSecret goes to no other address
		}},
		Timeout: callTimeout,
		Pause:   pause,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wxgate_upstream_requests_total",
			Help: "Calls of WeChat's API by path and outcome: ok, refused, unavailable, timeout, canceled.",
		}, []string{"call", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wxgate_upstream_seconds", Help: "How long calls of WeChat's API took.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 3},
		}, []string{"call"}),
	}
	c.hosts = newHosts(bases, c.probeHost, service.NewProblem(env, "wechat_api").Set)
	env.Registerer.MustRegister(c.requests, c.seconds)
	return c
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

// Close ends background probes and closes idle connections.
func (c *Client) Close() {
	c.hosts.close()
	c.HTTP.CloseIdleConnections()
}

// Do makes a call, and makes it again if that may help and the call's row allows it.
func (c *Client) Do(ctx context.Context, r Request) Outcome {
	start := time.Now()
	for attempt := 1; ; attempt++ {
		out := c.attemptCall(ctx, r)
		wait, again := r.planRetry(out.Failure, attempt)
		if !again || !c.Pause(ctx, wait) {
			out.Took = time.Since(start)
			return out
		}
	}
}

// attemptCall makes a call once, at the host that is preferred now.
func (c *Client) attemptCall(ctx context.Context, r Request) Outcome {
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	host := c.hosts.pickHost()
	out := c.callHost(limited, host, r)
	switch f := out.Failure; {
	case f == nil || !f.ofHost:
		c.hosts.markWorking(host)
	case ctx.Err() == nil: // if the caller gave up, the host is not to blame
		c.hosts.markFailed(host, f.Cause)
	}
	took := time.Since(start)
	c.requests.WithLabelValues(r.Call.Path, out.metricLabel()).Inc()
	c.seconds.WithLabelValues(r.Call.Path).Observe(took.Seconds())
	return out
}

// callHost makes a call once, at a host.
func (c *Client) callHost(ctx context.Context, host string, r Request) Outcome {
	body, err := newRequestBody(r)
	if err != nil {
		return Outcome{Failure: failureOf(err)}
	}
	data, err := c.fetchAnswer(ctx, host, r, body)
	sent, claimErr := body.shut()
	out := Outcome{}
	switch {
	case claimErr != nil:
		out.Failure = failureOf(claimErr)
	case err != nil:
		out.Failure = unreachable(ctx, err)
	default:
		out.Answer, out.Failure = understandAnswer(r.Call, data)
		if name := r.Call.echoed; out.Failure == nil && name != "" && out.Answer.Text(name) != r.Query.Get(name) {
			out = Outcome{Failure: UnexpectedAnswer(answerError("an answer whose " + name + " is not the one in the request"))}
		}
	}
	if f := out.Failure; f != nil && r.Call.retry == retryIfUnsent {
		f.unsent = !sent
		f.MaybeSent = sent && f.Errcode == ""
	}
	return out
}

// probeHost reports, by its error, whether a host answers as WeChat's API does. A call without a token is refused in JSON.
func (c *Client) probeHost(ctx context.Context, host string) error {
	if f := c.callHost(ctx, host, Request{Call: GetCallbackIPs}).Failure; f != nil && f.Errcode == "" {
		return f.Cause
	}
	return nil
}

// fetchAnswer returns the body of a host's answer.
func (c *Client) fetchAnswer(ctx context.Context, host string, r Request, body *requestBody) ([]byte, error) {
	address := host + r.Call.Path
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Call.Method, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	if r.Call.Method == http.MethodPost {
		body.attachTo(req)
	}
	resp, err := c.HTTP.Do(req)
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

// failureOf returns the failure that err is, or an internal one.
func failureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return InternalFailure(err)
}

// metricLabel returns the outcome for metrics.
func (o *Outcome) metricLabel() string {
	switch {
	case o.Failure == nil:
		return "ok"
	case o.Failure.Code == codes.Canceled:
		return "canceled"
	case o.Failure.Reason == oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT:
		return "timeout"
	case o.Failure.Errcode == "":
		return "unavailable"
	}
	return "refused"
}
