package replier

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"wxgate/internal/backlog"
	replierv1 "wxgate/proto/replier/v1"
)

// deliveryService implements replier.v1.DeliveryService.
type deliveryService struct {
	replierv1.UnimplementedDeliveryServiceServer
	backlog *backlog.Backlog
}

// Sizes of a page of deliveries.
const (
	defaultPage = 100
	maxPage     = 1000
)

// GetDelivery implements replier.v1.DeliveryService.
func (d deliveryService) GetDelivery(ctx context.Context, req *replierv1.GetDeliveryRequest) (*replierv1.GetDeliveryResponse, error) {
	if err := checkID(req.GetId()); err != nil {
		return nil, err
	}
	delivery, err := d.backlog.GetDelivery(ctx, req.GetId())
	return &replierv1.GetDeliveryResponse{Delivery: delivery}, deliveryError(err)
}

// ListDeliveries implements replier.v1.DeliveryService.
func (d deliveryService) ListDeliveries(_ context.Context, req *replierv1.ListDeliveriesRequest) (*replierv1.ListDeliveriesResponse, error) {
	limit := min(int(req.GetPageSize()), maxPage)
	switch {
	case limit < 0:
		return nil, newError(codes.InvalidArgument, reasonInvalidRequest, "page_size: less than 0; expected 1 to 1000, or 0 for 100")
	case limit == 0:
		limit = defaultPage
	}
	page, next := d.backlog.ListDeliveries(req.GetAccount(), req.GetOpenid(), req.GetStates(), limit, req.GetPageToken())
	return &replierv1.ListDeliveriesResponse{Deliveries: page, NextPageToken: next}, nil
}

// RetryDelivery implements replier.v1.DeliveryService.
func (d deliveryService) RetryDelivery(ctx context.Context, req *replierv1.RetryDeliveryRequest) (*replierv1.RetryDeliveryResponse, error) {
	if err := checkID(req.GetId()); err != nil {
		return nil, err
	}
	delivery, err := d.backlog.RetryDelivery(ctx, req.GetId())
	return &replierv1.RetryDeliveryResponse{Delivery: delivery}, deliveryError(err)
}

// checkID rejects a text that is not an id: it would not be a key of the store either.
func checkID(id string) error {
	ok := len(id) == 32
	for _, c := range []byte(id) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	if !ok {
		return newError(codes.InvalidArgument, reasonInvalidRequest, "id: expected 32 hex digits, as ListDeliveries and the log give them")
	}
	return nil
}

// deliveryError returns an error of the backlog as one of this service.
func deliveryError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, backlog.ErrUnknown):
		return newError(codes.NotFound, reasonUnknownDelivery, "id: "+err.Error())
	case errors.Is(err, backlog.ErrNotFailed):
		return newError(codes.FailedPrecondition, reasonNotFailed, "id: "+err.Error())
	case errors.Is(err, backlog.ErrTaken):
		return newError(codes.FailedPrecondition, reasonRetriedAlready, "id: "+err.Error())
	}
	failure := newError(codes.Unavailable, reasonStoreUnreachable, "the store of messages is unreachable; try again, and see this service's log")
	failure.Cause = err
	return failure
}
