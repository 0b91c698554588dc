package test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
	"wxgate/test/testproc"
)

// cardBot notes the code of each card that it is told of.
type cardBot struct {
	replierv1.UnimplementedReplierServiceServer
	mu    sync.Mutex
	codes []string
}

func (b *cardBot) Reply(_ context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.codes = append(b.codes, req.GetMessage().GetEvent().GetUserGetCard().GetUserCardCode())
	return &replierv1.ReplyResponse{}, nil
}

// told returns the codes so far, sorted, and forgets them.
func (b *cardBot) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	codes := b.codes
	b.codes = nil
	slices.Sort(codes)
	return codes
}

// TestFindingsCardsOfOneSecond: three cards that a user got in one second are three events, and each one's retry is the
// same event again.
func TestFindingsCardsOfOneSecond(t *testing.T) {
	t.Parallel()
	var cards struct{ Callbacks []string }
	data, err := os.ReadFile(filepath.Join("testdata", "cases", "cards-same-second.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cards); err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bot, server := &cardBot{}, grpc.NewServer()
	replierv1.RegisterReplierServiceServer(server, bot)
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules:\n  - {name: card, match: {event: user_get_card}, forward: {to: \"passthrough:///"+
		lis.Addr().String()+"\"}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env("WECHAT_TOKEN="+testproc.Token, "WECHAT_MODE=plain", "WXGATE_RULES="+rules), "serve")
	url := "http://" + p.Addr("listen") + "/"
	want := []string{"100000000001", "100000000002", "100000000003"}
	now := time.Now().Unix()
	in := func(second int64) (bodies []string) {
		for _, c := range cards.Callbacks {
			bodies = append(bodies, strings.ReplaceAll(c, "@NOW@", strconv.FormatInt(now-second, 10)))
		}
		return bodies
	}
	check := func(when string, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, bot.told()); diff != "" {
			t.Errorf("%s, the bot was told (-want +got):\n%s", when, diff)
		}
	}
	for _, body := range in(0) {
		postPlain(t, url, "1", body)
	}
	check("in turn", want)
	for _, body := range in(0) {
		postPlain(t, url, "2", body)
	}
	check("again", nil)
	var all sync.WaitGroup
	for _, body := range slices.Concat(in(1), in(1)) {
		all.Go(func() { postPlain(t, url, "3", body) })
	}
	all.Wait()
	check("each twice at once", want)
}

// postPlain sends a callback in plain mode, checks that it is accepted, and returns the answer.
func postPlain(t *testing.T, url, nonce, body string) string {
	t.Helper()
	now := strconv.FormatInt(time.Now().Unix(), 10)
	query := "?timestamp=" + now + "&nonce=" + nonce + "&signature=" + wechat.Signature(testproc.Token, now, nonce)
	resp, err := http.Post(url+query, "text/xml", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200; %v", resp.StatusCode, err)
	}
	return string(answer)
}
