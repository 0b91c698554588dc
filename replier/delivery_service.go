package replier

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"wxgate/internal/backlog"
	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
)

// deliveries implements replier.v1.DeliveryService.
type deliveries struct {
	replierv1.UnimplementedDeliveryServiceServer
	backlog *backlog.Backlog
}

// Sizes of a page of deliveries.
const (
	usualPage = 100
	maxPage   = 1000
)

// GetDelivery implements replier.v1.DeliveryService.
func (d deliveries) GetDelivery(ctx context.Context, req *replierv1.GetDeliveryRequest) (*replierv1.GetDeliveryResponse, error) {
	if err := checkID(req.GetId()); err != nil {
		return nil, err
	}
	delivery, err := d.backlog.GetDelivery(ctx, req.GetId())
	return &replierv1.GetDeliveryResponse{Delivery: delivery}, deliveryError(err)
}

// ListDeliveries implements replier.v1.DeliveryService.
func (d deliveries) ListDeliveries(_ context.Context, req *replierv1.ListDeliveriesRequest) (*replierv1.ListDeliveriesResponse, error) {
	most := min(int(req.GetPageSize()), maxPage)
	switch {
	case most < 0:
		return nil, &service.RPCError{Code: codes.InvalidArgument, Message: "page_size: less than 0; expected 1 to 1000, or 0 for 100"}
	case most == 0:
		most = usualPage
	}
	page, next := d.backlog.ListDeliveries(req.GetAccount(), req.GetOpenid(), req.GetStates(), most, req.GetPageToken())
	return &replierv1.ListDeliveriesResponse{Deliveries: page, NextPageToken: next}, nil
}

// RetryDelivery implements replier.v1.DeliveryService.
func (d deliveries) RetryDelivery(ctx context.Context, req *replierv1.RetryDeliveryRequest) (*replierv1.RetryDeliveryResponse, error) {
	if err := checkID(req.GetId()); err != nil {
		return nil, err
	}
	delivery, err := d.backlog.RetryDelivery(ctx, req.GetId())
	return &replierv1.RetryDeliveryResponse{Delivery: delivery}, deliveryError(err)
}

// checkID refuses what is no id: it would be no key of the store either.
func checkID(id string) error {
	ok := len(id) == 32
	for _, c := range []byte(id) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	if !ok {
		return &service.RPCError{Code: codes.InvalidArgument, Message: "id: expected 32 hex digits, as ListDeliveries and the log give them"}
	}
	return nil
}

func deliveryError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, backlog.ErrUnknown):
		return &service.RPCError{Code: codes.NotFound, Message: "id: " + err.Error()}
	case errors.Is(err, backlog.ErrNotFailed), errors.Is(err, backlog.ErrTaken):
		return &service.RPCError{Code: codes.FailedPrecondition, Message: "id: " + err.Error()}
	}
	return &service.RPCError{Code: codes.Unavailable, Message: "where messages are stored cannot be reached; try again, and see this service's log", Cause: err}
}
