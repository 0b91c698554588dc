package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
)

// holder is a replier whose answers are never ready.
type holder struct {
	replierv1.UnimplementedReplierServiceServer
	unstored bool
	says     *replierv1.ReplyResponse // in place of hold
}

func (h holder) Reply(context.Context, *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	if h.says != nil {
		return h.says, nil
	}
	state := replierv1.ReplyState_REPLY_STATE_HOLD
	if h.unstored {
		state = replierv1.ReplyState_REPLY_STATE_UNSTORED
	}
	return &replierv1.ReplyResponse{Coordination: &replierv1.Coordination{State: state}}, nil
}

// listen serves the holder until the test ends, and returns its address.
func (h holder) listen(t *testing.T) string {
	t.Helper()
	g, err := service.ListenGRPC(service.NewEnv(slog.New(slog.DiscardHandler)), "listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	replierv1.RegisterReplierServiceServer(g.Server, h)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g.Addr().String()
}

// TestHold: where the answer is not ready WeChat gets none at all, until it hangs up: anything else would be the last
// word to the user.
func TestHold(t *testing.T) {
	f := start(t, func(cfg *Config) { cfg.Replier.Addr = holder{}.listen(t) })
	c := own.plain("/", textXML(testText))
	hangUp, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	req, err := http.NewRequestWithContext(hangUp, http.MethodPost, f.public+c.path+"?"+c.query, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
		t.Fatalf("answered %s", resp.Status)
	}
	if hangUp.Err() == nil {
		t.Errorf("the connection ended before WeChat hung up: %v", err)
	}
	for len(f.outcomes(t)) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if got := f.outcomes(t); got["hold"] != 1 || len(got) != 1 {
		t.Errorf("outcomes %v, want one hold", got)
	}
	line := f.lines(t, "http")[0]
	if line["outcome"] != "hold" || line["error"] != nil {
		t.Errorf("line: %v", line)
	}
}
