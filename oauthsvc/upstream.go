package oauthsvc

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

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
	// maxAnswer is far more than any answer needs, in bytes.
	maxAnswer = 1 << 20
)

// outcome is how a call ended.
type outcome struct {
	body    body // where failure is nil
	took    time.Duration
	failure *failure
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

func newUpstream(bases []string, metrics prometheus.Registerer) *upstream {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 32, // all connections go to one host; the default of 2 would close most of them
		IdleConnTimeout:     time.Minute,
	}
	u := &upstream{
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the query with the AppSecret goes nowhere else
		}},
		hosts:   newHosts(bases),
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
	metrics.MustRegister(u.requests, u.seconds)
	return u
}

func (u *upstream) close() { u.client.CloseIdleConnections() }

// do makes a call, with a JSON payload where that is not nil, and makes it again where that may help. A body without
// failure has all that the call promises.
func (u *upstream) do(ctx context.Context, c call, query url.Values, payload any) outcome {
	start := time.Now()
	for attempt := 1; ; attempt++ {
		out := u.once(ctx, c, query, payload)
		wait, again := c.retry(out.failure, attempt)
		if !again || !u.pause(ctx, wait) {
			out.took = time.Since(start)
			if f := out.failure; f != nil && c == sendCall {
				f.maybeSent = f.errcode == "" && !f.unsent()
			}
			return out
		}
	}
}

// once makes a call at the host that is preferred now.
func (u *upstream) once(ctx context.Context, c call, query url.Values, payload any) outcome {
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, u.timeout)
	defer cancel()
	out := outcome{}
	host := u.hosts.pick()
	data, err := u.fetch(limited, host, c, query, payload)
	if err != nil {
		out.failure = unreachable(limited, err)
	} else {
		out.body, out.failure = understand(c, data)
	}
	// A refusal comes from a host that works, and a caller who gave up says nothing about the host.
	if f := out.failure; f != nil && f.errcode == "" && ctx.Err() == nil {
		u.hosts.leave(host)
	}
	took := time.Since(start)
	u.requests.WithLabelValues(string(c), out.label()).Inc()
	u.seconds.WithLabelValues(string(c)).Observe(took.Seconds())
	return out
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

// answerError is an answer that is none of WeChat's API; it never holds any of the answer.
type answerError string

func (e answerError) Error() string { return string(e) }

func (u *upstream) fetch(ctx context.Context, host string, c call, query url.Values, payload any) ([]byte, error) {
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if payload != nil {
		var data bytes.Buffer
		enc := json.NewEncoder(&data)
		enc.SetEscapeHTML(false) // WeChat shows users what is escaped as it is (platform.md F.3)
		if err := enc.Encode(payload); err != nil {
			return nil, err
		}
		method, content = http.MethodPost, &data
	}
	address := host + string(c)
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, err
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
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

// unreachable returns the failure of a call that brought no answer.
func unreachable(ctx context.Context, err error) *failure {
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return canceled()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return timedOut(describe(err))
	}
	return unavailable(describe(err))
}

func canceled() *failure {
	return &failure{code: codes.Canceled, message: "the caller gave up"}
}

func timedOut(cause error) *failure {
	return &failure{code: codes.DeadlineExceeded, reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_TIMEOUT,
		message: "WeChat's servers did not answer in time; try again", cause: cause}
}

func unavailable(cause error) *failure {
	return &failure{code: codes.Unavailable, reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE,
		message: "WeChat's servers could not be reached, or answered nonsense; try again, and see this service's log", cause: cause}
}

// describe returns what may be logged of a transport's error. The error itself may not: *url.Error holds the URL with
// its query, and others quote what the server sent, which may be the query again.
func describe(err error) error {
	var network *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var answer answerError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &network):
		return network
	case errors.As(err, &name):
		return name
	case errors.As(err, &certificate):
		return certificate
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return answerError("the connection ended before the answer did")
	}
	return answerError("a broken HTTP answer")
}

// understand reads an answer.
func understand(c call, data []byte) (body, *failure) {
	b, err := decode(data)
	if err != nil {
		return body{}, unavailable(err)
	}
	if b.ErrCode != nil && *b.ErrCode != 0 {
		return body{}, refusal(c, int(*b.ErrCode), b.ErrMsg)
	}
	if name := b.missing(c); name != "" {
		return body{}, unavailable(answerError("an answer without " + name))
	}
	return b, nil
}
