package store

import (
	"context"
	"errors"

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

// Ask asks all who Respond to a subject, and tells whether one says yes before ctx ends, and whether anybody is there.
func (s *Store) Ask(ctx context.Context, subject string, question []byte) (yes, there bool) {
	inbox := s.conn.NewInbox()
	answers, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return false, false
	}
	defer func() { _ = answers.Unsubscribe() }()
	if s.conn.PublishRequest(subject, inbox, question) != nil {
		return false, false
	}
	_, err = answers.NextMsgWithContext(ctx)
	return err == nil, !errors.Is(err, nats.ErrNoResponders)
}
