package oauthsvc

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store"
	oauthv1 "wxgate/proto/oauth/v1"
)

// A caller may lose the answer of SendCustomMessage: it dies, or its network does. So what became of an attempt is kept,
// for all replicas and for some minutes. A message is sent by who claims its attempt; one that asks before it came claims
// it too, so that it is not sent later.

const (
	// sendTime is how long an attempt may take, with all its retries.
	sendTime = 15 * time.Second
	// sendEnds is when an attempt whose end is not kept has certainly ended.
	sendEnds = sendTime + 10*time.Second
	// keepSend is how long an attempt is kept, and askSend for how long one that is not kept surely did not come.
	keepSend, askSend = 20 * time.Minute, 10 * time.Minute
	// maxAttemptID is the longest name of an attempt, in bytes.
	maxAttemptID = 64
)

// sends keeps what became of attempts.
type sends struct {
	bucket  *store.Bucket
	durable bool      // attempts outlive the process
	began   time.Time // when the process did
}

func openSends(kept *store.Store) (sends, error) {
	bucket, err := kept.Bucket("oauth_sends", keepSend)
	return sends{bucket, kept.Durable(), time.Now()}, err
}

// attempt is how far an attempt is, as it is kept.
type attempt struct {
	By      string       // who sends, made up; "": it never came
	Done    bool         // it has ended
	Failure *keptFailure `json:",omitempty"` // why it failed, where it did
	Maybe   bool         `json:",omitempty"` // it failed, and WeChat may have the message
}

func (a attempt) encode() []byte {
	data, err := json.Marshal(a)
	if err != nil {
		panic(err) // texts and numbers
	}
	return data
}

// sendOnce makes an attempt to send a message, or returns what became of it where it was made before.
func (s *Server) sendOnce(ctx context.Context, a accounts.Account, id string, payload any) outcome {
	key, mine := keyOf(a.Name, id), attempt{By: rand.Text()}
	owner, err := s.sends.bucket.Claim(ctx, key, mine.encode())
	if err != nil {
		return outcome{failure: failed(ctx, err)}
	}
	if string(owner) != string(mine.encode()) {
		return s.became(ctx, a, id, 0)
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime) // who asks gets to know how it ended
	defer cancel()
	out := s.withToken(own, a, sendCall, nil, payload)
	mine.Done = true
	if f := out.failure; f != nil {
		mine.Failure, mine.Maybe = f.keep(), f.maybeSent
	}
	if err := s.sends.bucket.Put(context.WithoutCancel(ctx), key, mine.encode()); err != nil {
		service.LineOf(ctx).Fail(err) // who asks hears that it is not known
	}
	return out
}

// lookAgain is how often one who waits for an attempt looks.
const lookAgain = 50 * time.Millisecond

// became returns what became of an attempt that was made so long ago: it waits for its end.
func (s *Server) became(ctx context.Context, a accounts.Account, id string, age time.Duration) outcome {
	key, asked := keyOf(a.Name, id), time.Now()
	for {
		value, ok, err := s.sends.bucket.Get(ctx, key)
		if err == nil && !ok {
			if age > askSend || !s.sends.durable && age > time.Since(s.sends.began) {
				return outcome{failure: notKnown()}
			}
			value, err = s.sends.bucket.Claim(ctx, key, attempt{}.encode())
		}
		if err != nil {
			return outcome{failure: unanswered(err)}
		}
		var is attempt
		switch err := json.Unmarshal(value, &is); {
		case err != nil: // another version's
			return outcome{failure: notKnown()}
		case is.By == "":
			return outcome{failure: &failure{code: codes.NotFound, reason: oauthv1.ErrorReason_ERROR_REASON_MESSAGE_UNKNOWN,
				message: "attempt_id: no such attempt came; it is refused if it comes yet, and the message may be sent anew"}}
		case is.Done && is.Failure != nil:
			return outcome{failure: is.failure()}
		case is.Done:
			return outcome{}
		case age+time.Since(asked) > sendEnds:
			return outcome{failure: notKnown()}
		}
		select {
		case <-ctx.Done():
			return outcome{failure: unanswered(ctx.Err())}
		case <-time.After(lookAgain):
		}
	}
}

// failure returns why the attempt failed. It has a reason always: what has none is no attempt's, but the question's.
func (a attempt) failure() *failure {
	f := a.Failure.failure()
	f.reason = cmp.Or(f.reason, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE)
	f.maybeSent = a.Maybe
	return f
}

// unanswered is for who has to ask again what became of an attempt.
func unanswered(cause error) *failure {
	return &failure{code: codes.Unavailable, message: "what became of the attempt cannot be told at the moment; ask again", cause: cause}
}

// notKnown is for an attempt that nobody knows the end of.
func notKnown() *failure {
	return &failure{code: codes.Unknown, reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE, maybeSent: true,
		message: "whether WeChat took the message is not known: the process that gave it to WeChat ended, or could not keep what came of it"}
}

// CheckCustomMessage implements oauth.v1.AccountService.
func (s accountService) CheckCustomMessage(ctx context.Context, req *oauthv1.CheckCustomMessageRequest) (*oauthv1.CheckCustomMessageResponse, error) {
	a, err := s.begin(ctx, req.GetAccount(), field{"attempt_id", req.GetAttemptId()})
	if err != nil {
		return nil, err
	}
	if err := checkAttempt(req.GetAttemptId()); err != nil {
		return nil, err
	}
	if req.GetAgeMs() < 0 {
		return nil, invalid("age_ms: below 0; expected how long ago the attempt was made, in milliseconds")
	}
	age := time.Duration(min(req.GetAgeMs(), keepSend.Milliseconds())) * time.Millisecond
	if err := end(ctx, s.became(ctx, a, req.GetAttemptId(), age)); err != nil {
		return nil, err
	}
	return &oauthv1.CheckCustomMessageResponse{}, nil
}

func checkAttempt(id string) error {
	if len(id) > maxAttemptID {
		return invalid("attempt_id: longer than 64 bytes")
	}
	return nil
}
