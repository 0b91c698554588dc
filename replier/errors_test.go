package replier

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/backlog"
	"wxgate/internal/service"
	"wxgate/internal/store"
	replierv1 "wxgate/proto/replier/v1"
)

// TestErrorReasons: each error says why by a reason of the contract, and each reason of the contract occurs.
func TestErrorReasons(t *testing.T) {
	s := startSlow(t, "", store.Config{}, nil)
	ctx := t.Context()
	_, panicked := decideGuarded(ctx, nil, func(context.Context, *job) decision { panic("no") })
	crowded := newBotCalls(prometheus.NewRegistry(), 1)
	_, noRoom := crowded.reserveRoom(text("a"), false)
	crowdedCall := call{server: s.server, job: newEndedJob(decision{}, nil)}
	crowdedCall.job.decision.Failed = []error{noRoom}
	seen := map[string]bool{"": true}
	for name, c := range map[string]struct {
		err  error
		want replierv1.ErrorReason
	}{
		"no message":       {second(s.Reply(ctx, &replierv1.ReplyRequest{})), reasonInvalidRequest},
		"no id":            {second(s.deliveries.GetDelivery(ctx, &replierv1.GetDeliveryRequest{})), reasonInvalidRequest},
		"odd id":           {second(s.deliveries.RetryDelivery(ctx, &replierv1.RetryDeliveryRequest{Id: "../x"})), reasonInvalidRequest},
		"negative size":    {second(s.deliveries.ListDeliveries(ctx, &replierv1.ListDeliveriesRequest{PageSize: -1})), reasonInvalidRequest},
		"unknown":          {second(s.deliveries.GetDelivery(ctx, &replierv1.GetDeliveryRequest{Id: strings.Repeat("0", 32)})), reasonUnknownDelivery},
		"did not fail":     {deliveryError(backlog.ErrNotFailed), reasonNotFailed},
		"retried":          {deliveryError(backlog.ErrTaken), reasonRetriedAlready},
		"no store":         {deliveryError(store.ErrUnavailable), reasonStoreUnreachable},
		"panic":            {panicked, reasonRulesFailed},
		"too many waiting": {second(crowdedCall.answerReady()), reasonTooManyCalls},
	} {
		if info := service.SpecificInfo(c.err); info.GetReason() != c.want.Name() || info.GetDomain() != "wxgate" {
			t.Errorf("%s: got %v, want reason %s", name, c.err, c.want.Name())
		}
		seen[c.want.Name()] = true
	}
	for value := range replierv1.ErrorReason_name {
		if name := replierv1.ErrorReason(value).Name(); !seen[name] {
			t.Errorf("no error has the reason %s", name)
		}
	}
	if err := deliveryError(errors.New("a secret")); strings.Contains(err.Error(), "secret") {
		t.Errorf("the caller reads the cause: %v", err)
	}
}
