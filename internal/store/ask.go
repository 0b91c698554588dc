package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Respond answers the questions of a subject, where it knows a yes, until the store closes.
func (s *Store) Respond(subject string, yes func(question []byte) bool) error {
	_, err := s.conn.Subscribe(subject, func(m *nats.Msg) {
		if yes(m.Data) {
			_ = m.Respond(nil) // who asked may be gone
		}
	})
	return err
}

// Hear has f called with what is told of a subject, until the store closes.
func (s *Store) Hear(subject string, f func(told []byte)) error {
	_, err := s.conn.Subscribe(subject, func(m *nats.Msg) { f(m.Data) })
	return err
}

// Tell tells all who Hear of a subject and are there. The error is ErrAway where it may have gone nowhere.
func (s *Store) Tell(subject string, told []byte) error {
	err := s.conn.Publish(subject, told)
	if err == nil {
		err = s.heard(context.Background())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// hearTime is how long the server may take to say that it hears us.
const hearTime = time.Second

// Ask asks all who Respond to a subject, and tells whether one says yes before wait is over, and whether anybody is there.
// The error is ErrAway where silence does not mean no: the question may have gone nowhere, or a yes been lost. So wait
// begins when the server has the question, and it is still there at the end.
func (s *Store) Ask(ctx context.Context, subject string, question []byte, wait time.Duration) (yes, there bool, err error) {
	connected := s.conn.Stats().Reconnects
	inbox := s.conn.NewInbox()
	answers, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	err = s.conn.PublishRequest(subject, inbox, question)
	if err == nil {
		err = s.heard(ctx)
	}
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if _, err = answers.NextMsgWithContext(limited); errors.Is(err, context.DeadlineExceeded) {
		if err = s.heard(ctx); err != nil {
			return false, false, fmt.Errorf("%w: %w", ErrAway, err)
		}
		_, err = answers.NextMsg(0) // it came before the server was heard
	}
	switch {
	case err == nil:
		return true, true, nil
	case errors.Is(err, nats.ErrNoResponders):
		return false, false, nil
	case s.conn.Stats().Reconnects != connected:
		return false, false, fmt.Errorf("%w: the connection broke", ErrAway)
	case errors.Is(err, nats.ErrTimeout):
		return false, true, nil
	}
	return false, false, fmt.Errorf("%w: %w", ErrAway, err)
}

// heard waits until the server has all that was sent, and all that it sent before is here.
func (s *Store) heard(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, hearTime)
	defer cancel()
	return s.conn.FlushWithContext(ctx)
}
