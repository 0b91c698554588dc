// Command parts measures the least cost of a callback with the parts of wxgate: one handler that checks the signature,
// decodes the message, answers it once with its own text, encodes the reply, counts, and writes a log line, with net/http,
// log/slog and Prometheus's client, and the limits and attributes of wxgate. It has no rules, no other kinds of message, no
// contexts, and no second service.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

func main() {
	token := flag.String("token", "", "token of the account")
	flag.Parse()
	if err := serveHTTP(*token); err != nil {
		fmt.Fprintln(os.Stderr, "parts:", err)
		os.Exit(1)
	}
}

func serveHTTP(token string) error {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	log.Info("listening", "flag", "listen", "addr", lis.Addr().String())
	server := &http.Server{
		Handler:           newHandler(token, log, prometheus.NewRegistry()),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       620 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	return server.Serve(lis)
}

type partsHandler struct {
	token   string
	log     *slog.Logger
	total   *prometheus.CounterVec
	seconds prometheus.Histogram

	mu   sync.Mutex
	kept map[int64]string // answers, by the message's number
}

// mostKept is how many answers are kept.
const mostKept = 200_000

func newHandler(token string, log *slog.Logger, metrics *prometheus.Registry) *partsHandler {
	h := &partsHandler{
		token: token, log: log, kept: map[int64]string{},
		total:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callbacks_total"}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "callback_seconds"}),
	}
	metrics.MustRegister(h.total, h.seconds)
	return h
}

// ServeHTTP implements http.Handler.
func (h *partsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	query := r.URL.Query()
	if !wechat.VerifySignature(query.Get("signature"), h.token, query.Get("timestamp"), query.Get("nonce")) {
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	msg, err := wechat.Decode(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = w.Write(wechat.EncodeReply(h.echoReply(msg), msg.GetFromUserName(), msg.GetToUserName(), time.Now().Unix()))
	took := time.Since(start)
	h.total.WithLabelValues("replied").Inc()
	h.seconds.Observe(took.Seconds())
	h.log.LogAttrs(r.Context(), slog.LevelInfo, "http", slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", http.StatusOK), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("request_id", query.Get("nonce")),
		slog.String("peer", r.RemoteAddr), slog.String("account", "default"), slog.String("user", msg.GetFromUserName()[:6]),
		slog.String("msg_type", msg.GetMsgType()), slog.Int64("msg_id", msg.GetMsgId()),
		slog.Group("replier", slog.String("rule", "echo"), slog.String("outcome", "reply")), slog.String("outcome", "replied"))
}

// echoReply returns the answer to a message, which is made once.
func (h *partsHandler) echoReply(msg *wechatv1.Message) *wechatv1.Reply {
	h.mu.Lock()
	defer h.mu.Unlock()
	text, ok := h.kept[msg.GetMsgId()]
	if !ok {
		if len(h.kept) == mostKept {
			clear(h.kept)
		}
		text = strings.Clone(msg.GetText().GetContent()) // it is a part of the body
		h.kept[msg.GetMsgId()] = text
	}
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: text}}}
}
