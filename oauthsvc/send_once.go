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
	"wxgate/oauthsvc/wechatapi"
	oauthv1 "wxgate/proto/oauth/v1"
)

// The answer of SendCustomMessage may get lost: its caller dies, or the network fails. So the outcome of an attempt is kept, for
// all replicas and for some minutes. An attempt consists of tries. A replica claims a try in the store right before the first
// byte leaves: a try that is not claimed was certainly not sent, and a try with a noted refusal was not done. A replica that
// is asked about a try that is not claimed claims it too, so that it is not sent later. A second try follows only if WeChat
// refused the token of the first.

const (
	// maxSendTime is how long an attempt may take, with all its retries.
	maxSendTime = 15 * time.Second
	// sendOver is the age at which an attempt has certainly ended, even if its end is not kept.
	sendOver = maxSendTime + 10*time.Second
	// keepSend is how long an attempt is kept. An attempt that is not kept and not older than askSend was not made.
	keepSend, askSend = 20 * time.Minute, 10 * time.Minute
	// maxAttemptID is the longest name of an attempt, in bytes.
	maxAttemptID = 64
	// maxTries is how many tries an attempt has: withToken makes a call twice.
	maxTries = 2
	// lookAgain is how often the store is asked whether an attempt has ended.
	lookAgain = 50 * time.Millisecond
)

// sendAttempts keeps the outcomes of attempts.
type sendAttempts struct {
	bucket  *store.Bucket
	durable bool      // attempts outlive the process
	began   time.Time // when the process did
}

func openSendAttempts(kept *store.Store) (sendAttempts, error) {
	bucket, err := kept.Bucket("oauth_sends", keepSend)
	return sendAttempts{bucket, kept.IsDurable(), time.Now()}, err
}

// sendTry is the state of a try, as it is kept.
type sendTry struct {
	By      string             // a random name of the sender; "": the try is not made, and never will be
	Done    bool               // it has ended
	Failure *wechatapi.Failure `json:",omitempty"` // why it failed, if it did
	Maybe   bool               `json:",omitempty"` // it failed, and WeChat may have the message
	Next    bool               `json:",omitempty"` // another try may follow
}

func (t sendTry) encodeJSON() []byte {
	data, err := json.Marshal(t)
	if err != nil {
		panic(err) // texts and numbers
	}
	return data
}

// sendKey is the key of a try; the first is 1.
func sendKey(a accounts.Account, id string, try int) string {
	if try > 1 {
		id += fmt.Sprintf("\x00%d", try)
	}
	return keyOf(a, id)
}

// errNotOurs is why nothing is sent: another replica made the try, or said that it will not be made.
var errNotOurs = errors.New("another replica claimed the try")

// sendOnce sends a message. An attempt that has a name is made once: if it was made before, sendOnce returns its outcome.
func (s *Server) sendOnce(ctx context.Context, a accounts.Account, id string, payload any) wechatapi.Outcome {
	if id == "" {
		return s.callForAccount(ctx, a, wechatapi.Request{Call: wechatapi.SendMessage, Payload: payload})
	}
	switch _, made, err := s.sends.bucket.Get(ctx, sendKey(a, id, 1)); {
	case err != nil:
		return failedOutcome(ctx, err)
	case made:
		return s.attemptOutcome(ctx, a, id, 0)
	}
	// The attempt goes on without its caller: CheckCustomMessage returns its outcome.
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxSendTime)
	defer cancel()
	try := 0
	out := s.withToken(own, a, func(token string) wechatapi.Outcome {
		try++
		return s.trySend(own, sendKey(a, id, try), token, payload, try < maxTries)
	})
	if isNotOurs(out.Failure) {
		return s.attemptOutcome(ctx, a, id, 0)
	}
	return out
}

func isNotOurs(f *wechatapi.Failure) bool { return f != nil && errors.Is(f.Cause, errNotOurs) }

// trySend makes a try, and notes how it ended; mayRepeat is false for the last one.
func (s *Server) trySend(ctx context.Context, key, token string, payload any, mayRepeat bool) wechatapi.Outcome {
	mine := sendTry{By: rand.Text()}
	claiming := false
	out := s.api.Do(ctx, wechatapi.Request{
		Call: wechatapi.SendMessage, Query: url.Values{"access_token": {token}}, Payload: payload,
		Claim: func() error {
			claiming = true
			owner, err := s.sends.bucket.PutIfAbsent(ctx, key, mine.encodeJSON())
			if err == nil && string(owner) != string(mine.encodeJSON()) {
				err = errNotOurs
			}
			if err != nil {
				return failureOf(ctx, err)
			}
			return nil
		},
	})
	f := out.Failure
	if !claiming || isNotOurs(f) {
		return out
	}
	mine.Done = true
	if f != nil {
		mine.Failure, mine.Maybe, mine.Next = f, f.MaybeSent, mayRepeat && f.IsAboutToken()
	}
	if err := s.sends.bucket.Put(context.WithoutCancel(ctx), key, mine.encodeJSON()); err != nil {
		service.LineOf(ctx).Fail(err) // CheckCustomMessage will say that the outcome is not known
	}
	return out
}

// attemptOutcome waits for the end of an attempt that was made age ago, and returns its outcome.
func (s *Server) attemptOutcome(ctx context.Context, a accounts.Account, id string, age time.Duration) wechatapi.Outcome {
	asked, try, previous := time.Now(), 1, sendTry{}
	for {
		is, failure := s.lookUpTry(ctx, sendKey(a, id, try), try, age)
		switch {
		case failure != nil:
			return wechatapi.Outcome{Failure: failure}
		case is.By == "" && try > 1: // the previous try was the last
			return wechatapi.Outcome{Failure: previous.keptFailure()}
		case is.By == "":
			return wechatapi.Outcome{Failure: attemptUnknown()}
		case is.Done && is.Next && try < maxTries:
			previous = is
			try++
			continue
		case is.Done && is.Failure != nil:
			return wechatapi.Outcome{Failure: is.keptFailure()}
		case is.Done:
			return wechatapi.Outcome{}
		case age+time.Since(asked) > sendOver:
			return wechatapi.Outcome{Failure: outcomeUnknown()}
		}
		select {
		case <-ctx.Done():
			return wechatapi.Outcome{Failure: askAgain(ctx.Err())}
		case <-time.After(lookAgain):
		}
	}
}

// lookUpTry returns the state of a try. It claims a try that is not claimed, so that it is never made.
func (s *Server) lookUpTry(ctx context.Context, key string, try int, age time.Duration) (is sendTry, f *wechatapi.Failure) {
	value, ok, err := s.sends.bucket.Get(ctx, key)
	if err == nil && !ok {
		if try == 1 && (age > askSend || !s.sends.durable && age > time.Since(s.sends.began)) {
			return is, outcomeUnknown()
		}
		value, err = s.sends.bucket.PutIfAbsent(ctx, key, sendTry{}.encodeJSON())
	}
	if err != nil {
		return is, askAgain(err)
	}
	if json.Unmarshal(value, &is) != nil { // another version's
		return is, outcomeUnknown()
	}
	return is, nil
}

// keptFailure returns why the try failed. It always has a reason: a failure without one is about the question, not about the
// attempt.
func (t sendTry) keptFailure() *wechatapi.Failure {
	f := *t.Failure
	f.Reason = cmp.Or(f.Reason, oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE)
	f.MaybeSent, f.RetryAfter = t.Maybe, wechatapi.RetryAfter(f.Reason)
	return &f
}

// attemptUnknown is for an attempt that was not made, and will not be.
func attemptUnknown() *wechatapi.Failure {
	return &wechatapi.Failure{Code: codes.NotFound, Reason: oauthv1.ErrorReason_ERROR_REASON_MESSAGE_UNKNOWN,
		Message: "attempt_id: no such attempt was made; it will be refused if it still comes, so the message may be sent anew"}
}

// askAgain is for a question that cannot be answered now.
func askAgain(cause error) *wechatapi.Failure {
	return &wechatapi.Failure{Code: codes.Unavailable, Message: "the outcome of the attempt cannot be read at the moment; ask again", Cause: cause}
}

// outcomeUnknown is for an attempt that ended in an unknown way.
func outcomeUnknown() *wechatapi.Failure {
	return &wechatapi.Failure{Code: codes.Unknown, Reason: oauthv1.ErrorReason_ERROR_REASON_UPSTREAM_UNAVAILABLE, MaybeSent: true,
		Message: "it is not known whether WeChat took the message: the process that sent it ended, or could not store the outcome"}
}
