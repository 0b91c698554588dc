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
		err = s.conn.FlushTimeout(hearTime)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// hearTime is how long the server may take to say that it hears us.
const hearTime = time.Second

// Ask asks all who Respond to a subject, and tells whether one says yes before ctx ends, and whether anybody is there. The
// error is ErrAway where silence does not mean no: the question may have gone nowhere.
func (s *Store) Ask(ctx context.Context, subject string, question []byte) (yes, there bool, err error) {
	connected := s.conn.Stats().Reconnects
	inbox := s.conn.NewInbox()
	answers, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := s.conn.PublishRequest(subject, inbox, question); err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	switch _, err = answers.NextMsgWithContext(ctx); {
	case err == nil:
		return true, true, nil
	case errors.Is(err, nats.ErrNoResponders):
		return false, false, nil
	}
	if err := s.conn.FlushTimeout(hearTime); err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if s.conn.Stats().Reconnects != connected {
		return false, false, fmt.Errorf("%w: the connection broke", ErrAway)
	}
	return false, true, nil
}
