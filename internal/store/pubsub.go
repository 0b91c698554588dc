package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Respond answers the requests on a subject for which yes returns true, and ignores the others, until the store closes.
func (s *Store) Respond(subject string, yes func(request []byte) bool) error {
	_, err := s.conn.Subscribe(subject, func(m *nats.Msg) {
		if yes(m.Data) {
			_ = m.Respond(nil) // the requester may have ended
		}
	})
	return err
}

// Subscribe calls f with each message that is published to a subject, until the store closes.
func (s *Store) Subscribe(subject string, f func(message []byte)) error {
	_, err := s.conn.Subscribe(subject, func(m *nats.Msg) { f(m.Data) })
	return err
}

// Publish sends a message to all replicas that subscribe to a subject and are connected. The error is ErrUnavailable if the
// message may have reached nobody.
func (s *Store) Publish(subject string, message []byte) error {
	err := s.conn.Publish(subject, message)
	if err == nil {
		err = s.flushServer(context.Background())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// flushTime is how long the server may take to acknowledge what was sent.
const flushTime = time.Second

// Request sends a request to all replicas that respond to a subject. yes reports whether one of them answers within wait,
// responders whether there are any. The error is ErrUnavailable if silence does not mean no: the request or an answer may be
// lost. So wait begins when the server has the request, and the server must still be connected at the end.
func (s *Store) Request(ctx context.Context, subject string, request []byte, wait time.Duration) (yes, responders bool, err error) {
	connected := s.conn.Stats().Reconnects
	inbox := s.conn.NewInbox()
	answers, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	err = s.conn.PublishRequest(subject, inbox, request)
	if err == nil {
		err = s.flushServer(ctx)
	}
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if _, err = answers.NextMsgWithContext(limited); errors.Is(err, context.DeadlineExceeded) {
		if err = s.flushServer(ctx); err != nil {
			return false, false, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		_, err = answers.NextMsg(0) // it arrived before the flush was acknowledged
	}
	switch {
	case err == nil:
		return true, true, nil
	case errors.Is(err, nats.ErrNoResponders):
		return false, false, nil
	case s.conn.Stats().Reconnects != connected:
		return false, false, fmt.Errorf("%w: the connection was lost", ErrUnavailable)
	case errors.Is(err, nats.ErrTimeout):
		return false, true, nil
	}
	return false, false, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// flushServer waits until the server has all messages sent so far, and this process has all that the server sent before.
func (s *Store) flushServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	return s.conn.FlushWithContext(ctx)
}
