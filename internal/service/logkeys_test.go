package service

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
)

// TestFindingsLineHasEachKeyOnce: no line has a key twice, whatever handlers add and however often they call.
func TestFindingsLineHasEachKeyOnce(t *testing.T) {
	ctx, line := withLine(t.Context(), "id-1", "peer")
	line.Add(slog.String("account", "shop"), slog.String("ms", "mine"), slog.Int("status", 200), slog.String("msg", "hello"))
	line.Add(slog.String("account", "shop"), slog.String("account", "club"), slog.Any("list", []any{1}), slog.Any("list", []any{1}))
	line.Add(slog.String("peer", "x"), slog.String("error", "x"), slog.String("service", "x"))
	for range 2 {
		_, call := withLine(ctx, "id-1", ownPeerName)
		call.Add(slog.String("account", "shop"), slog.Int("upstream_ms", 1), slog.Int("upstream_ms", 2), slog.Any("list", []any{1}))
		if !line.merge("oauth", call) {
			t.Error("the line has ended")
		}
	}
	_, call := withLine(ctx, "id-1", ownPeerName)
	call.Add(slog.Int("upstream_ms", 3))
	line.merge("oauth", call)
	line.Fail(errors.New("failed"))
	log := &logBuffer{}
	line.writeTo(ctx, log.logger().With("service", "test"), slog.LevelInfo, "http", slog.Int("status", 200), slog.Int("ms", 7))

	got := log.line(t, "http")
	want := strings.Fields("account account_2 error error_2 level list list_2 ms ms_2 msg msg_2 oauth oauth_2 oauth_3 peer peer_2 request_id service service_2 status time")
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if n := strings.Count(log.String(), `"`+"account"+`":`); n != 1 {
		t.Errorf("account %d times:\n%s", n, log)
	}
	if diff := cmp.Diff(map[string]any{"upstream_ms": 1.0, "upstream_ms_2": 2.0, "list": []any{1.0}}, got["oauth"]); diff != "" {
		t.Errorf("oauth (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"upstream_ms": 3.0}, got["oauth_3"]); diff != "" {
		t.Errorf("oauth_3 (-want +got):\n%s", diff)
	}
}

// TestFindingsEndedCallerLeavesOneCode: a call whose caller's line has ended writes its own, with one code and one cause.
func TestFindingsEndedCallerLeavesOneCode(t *testing.T) {
	ctx, caller := withLine(t.Context(), "id-1", "peer")
	log := &logBuffer{}
	caller.writeTo(ctx, log.logger(), slog.LevelInfo, "http")
	_, call := withLine(ctx, "id-1", ownPeerName)
	err := &RPCError{Code: codes.NotFound, Message: "not found", Cause: errors.New("the cause")}
	if call.mergeInto(caller, "/test.v1.Test/Call", err) {
		t.Fatal("it joined a line that has ended")
	}
	call.writeRPC(ctx, log.logger(), "/test.v1.Test/Call", err, time.Now())
	text := log.String()
	for _, key := range []string{`"code":"NotFound"`, `"cause":"the cause"`} {
		if n := strings.Count(text, key); n != 1 {
			t.Errorf("%s %d times:\n%s", key, n, text)
		}
	}
	if strings.Contains(text, "_2") {
		t.Errorf("something is numbered:\n%s", text)
	}
}
