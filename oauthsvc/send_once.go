package oauthsvc

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"google.golang.org/grpc/codes"

	"wxgate/internal/accounts"
	"wxgate/internal/service"
	"wxgate/internal/store"
	oauthv1 "wxgate/proto/oauth/v1"
)

// A caller may lose the answer of SendCustomMessage: it dies, or its network does. So what became of an attempt is kept,
// for all replicas and for some minutes. Each try of an attempt is claimed right before its first byte leaves: a try that is
// not claimed was certainly not sent, and one whose refusal is noted was not done. Whoever asks about a try that is not
// claimed claims it too, so that it is not sent later. A second try follows only if WeChat refused the token of the first.

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

// sendTry is how far a try is, as it is kept.
type sendTry struct {
	By      string       // who sends, made up; "": it never came
	Done    bool         // it has ended
	Failure *keptFailure `json:",omitempty"` // why it failed, if it did
	Maybe   bool         `json:",omitempty"` // it failed, and WeChat may have the message
	Next    bool         `json:",omitempty"` // another try may follow
}

func (t sendTry) encode() []byte {
	data, err := json.Marshal(t)
	if err != nil {
		panic(err) // texts and numbers
	}
	return data
}

// maxTries is how many tries an attempt has: withToken makes a call twice.
const maxTries = 2

// sendKey is where a try of an attempt is kept; the first is 1.
func sendKey(a accounts.Account, id string, try int) string {
	if try > 1 {
		id += fmt.Sprintf("\x00%d", try)
	}
	return keyOf(a, id)
}

// errNotOurs is why nothing is sent: another made the try, or asked about it and heard that it will not be made.
var errNotOurs = errors.New("the try is another's")

// send sends a message. An attempt that has a name is made once: if it was made before, send returns what became of it.
func (s *Server) send(ctx context.Context, a accounts.Account, id string, payload any) outcome {
	if id == "" {
		return s.accountCall(ctx, a, sendCall, nil, payload)
	}
	switch _, made, err := s.sends.bucket.Get(ctx, sendKey(a, id, 1)); {
	case err != nil:
		return outcome{failure: failed(ctx, err)}
	case made:
		return s.became(ctx, a, id, 0)
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime) // who asks gets to know how it ended
	defer cancel()
	try := 0
	out := s.withToken(own, a, func(token string) outcome {
		try++
		return s.trySend(own, sendKey(a, id, try), token, payload, try < maxTries)
	})
	if f := out.failure; f != nil && errors.Is(f.cause, errNotOurs) {
		return s.became(ctx, a, id, 0)
	}
	return out
}

// trySend makes a try, and notes how it ended; next is false for the last one.
func (s *Server) trySend(ctx context.Context, key, token string, payload any, next bool) outcome {
	mine := sendTry{By: rand.Text()}
	claiming := false
	out := s.api.perform(ctx, apiRequest{
		call: sendCall, query: url.Values{"access_token": {token}}, payload: payload,
		claim: func() error {
			claiming = true
			owner, err := s.sends.bucket.Claim(ctx, key, mine.encode())
			if err == nil && string(owner) != string(mine.encode()) {
				return errNotOurs
			}
			return err
		},
	})
	f := out.failure
	if !claiming || f != nil && errors.Is(f.cause, errNotOurs) {
		return out
	}
	mine.Done = true
	if f != nil {
		mine.Failure, mine.Maybe, mine.Next = f.keep(), f.maybeSent, next && f.aboutToken()
	}
	if err := s.sends.bucket.Put(context.WithoutCancel(ctx), key, mine.encode()); err != nil {
		service.LineOf(ctx).Fail(err) // who asks hears that it is not known
	}
	return out
}

// lookAgain is how often one who waits for an attempt looks.
const lookAgain = 50 * time.Millisecond

// became returns what became of an attempt that was made age ago. It waits for its end.
func (s *Server) became(ctx context.Context, a accounts.Account, id string, age time.Duration) outcome {
	asked, try, before := time.Now(), 1, sendTry{}
	for {
		is, failure := s.lookUpTry(ctx, sendKey(a, id, try), try, age)
		switch {
		case failure != nil:
			return outcome{failure: failure}
		case is.By == "" && try > 1: // the try before was the last
			return outcome{failure: before.failure()}
		case is.By == "":
			return outcome{failure: neverCame()}
		case is.Done && is.Next && try < maxTries:
			before = is
			try++
			continue
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

// lookUpTry returns how far a try is. One that nobody claimed is claimed, so that it never comes.
func (s *Server) lookUpTry(ctx context.Context, key string, try int, age time.Duration) (is sendTry, f *failure) {
	value, ok, err := s.sends.bucket.Get(ctx, key)
	if err == nil && !ok {
		if try == 1 && (age > askSend || !s.sends.durable && age > time.Since(s.sends.began)) {
			return is, notKnown()
		}
		value, err = s.sends.bucket.Claim(ctx, key, sendTry{}.encode())
	}
	if err != nil {
		return is, unanswered(err)
	}
	if json.Unmarshal(value, &is) != nil { // another version's
		return is, notKnown()
	}
	return is, nil
}

// failure returns why the try failed. It has a reason always: what has none is not about the attempt, but about the question.
func (t sendTry) failure() *failure {
	f := t.Failure.failure()
	f.reason = cmp.Or(f.reason, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE)
	f.maybeSent, f.retryAfter = t.Maybe, retryAfter[f.reason]
	return f
}

// neverCame is for an attempt that was not made, and will not be.
func neverCame() *failure {
	return &failure{code: codes.NotFound, reason: oauthv1.ErrorReason_ERROR_REASON_MESSAGE_UNKNOWN,
		message: "attempt_id: no such attempt came; it is refused if it comes yet, and the message may be sent anew"}
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
