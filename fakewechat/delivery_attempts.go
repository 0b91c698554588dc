package fakewechat

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"wxgate/fakewechat/sender"
)

// Attempt is one time that a callback was sent, or was lost.
type Attempt struct {
	Index  int            // in Delivery.Attempts
	Done   bool           // what is below Body is known
	Number int            // from 1 to 3
	Copy   bool           // besides Number: sent at the same time, or again after the answer
	At     time.Time      // when it began, by the Sender's clock
	Faults []string       // what goes wrong on purpose, by its name in Faults
	URL    string         // signed
	Body   []byte         // as posted
	Took   time.Duration  // until WeChat had the answer, or gave up
	Result *sender.Result // nil without an answer
	Err    error          // why there is none
}

// Delivery is what became of a callback.
type Delivery struct {
	Attempts []Attempt
	Answer   *sender.Result // what WeChat took for the answer; nil: none
	Refused  []string       // why WeChat would show ServiceFailed to the user; empty: accepted
}

// Deliver sends a callback as WeChat does: up to 3 attempts, one after the other, of 5 s each, until one has an answer,
// be it a bad one (platform.md A.6). The faults of the Sender's Platform strike. tell, where not nil, is called with
// each attempt when it begins, and when it is done. The error tells that nothing can be sent: the callback is no XML and
// From is empty, the account's key is none, the URL is none. Where ctx ends, so do the attempts.
func (p *Platform) deliverAttempts(ctx context.Context, s *sender.Sender, callback []byte, tell func(Attempt)) (*Delivery, error) {
	t := &deliveryRun{Sender: s, platform: p, dice: p.faultState.nextCallback(), delivery: &Delivery{}, tell: tell}
	f := t.dice.faults
	if t.dice.faultStrikes("unknown_type", f.UnknownType, 0) {
		callback = t.damageCallback("unknown_type", t.dice.changeType, callback)
	}
	var err error
	if t.out, err = s.Prepare(callback); err != nil {
		return nil, err
	}
	if _, err := s.CallbackURL(""); err != nil {
		return nil, err
	}
	p.RecordCallback(t.out.Callback)
	if t.dice.faultStrikes("control_characters", f.ControlCharacters, 0) {
		t.out.Callback.XML = t.damageCallback("control_characters", t.dice.addControl, t.out.Callback.XML)
	}
	if t.dice.faultStrikes("broken_cdata", f.BrokenCDATA, 0) {
		t.out.Callback.XML = t.damageCallback("broken_cdata", t.dice.breakCDATA, t.out.Callback.XML)
	}
	sent, held := p.faultState.waitTurn(ctx, t.out.Callback.From, t.dice.faultStrikes("out_of_order", f.OutOfOrder, 0))
	if held {
		t.constantFaults = append(t.constantFaults, "out_of_order")
	}
	defer sent()
	for n := 1; n <= sender.MaxAttempts && t.delivery.Answer == nil && ctx.Err() == nil; n++ {
		t.sendAttempt(ctx, n)
		sent()
	}
	if t.delivery.Answer == nil {
		t.delivery.Refused = []string{noAnswerAtAll.Error()}
		return t.delivery, nil
	}
	t.delivery.Refused = t.delivery.Answer.Refused
	if t.dice.faultStrikes("duplicate", f.Duplicate, 0) {
		a := t.newAttempt(t.delivery.Attempts[len(t.delivery.Attempts)-1].Number, "duplicate")
		a.Copy = true
		post := s.Sign(t.out, s.Account.Token, p.now().Add(f.Clock))
		ctx, cancel := context.WithTimeout(ctx, sender.Patience)
		defer cancel()
		began := time.Now()
		a = t.beginAttempt(a, post)
		a.Result, a.Err = s.Post(ctx, t.out, post)
		a.Took = time.Since(began)
		t.endAttempt(a)
	}
	return t.delivery, nil
}

var noAnswerAtAll = sender.Because("no answer in three attempts")

// deliveryRun is a callback on its way.
type deliveryRun struct {
	*sender.Sender
	platform       *Platform
	dice           faultDice
	out            *sender.Outgoing
	constantFaults []string             // faults of all its attempts
	firstSigned    sender.SignedRequest // what the first attempt posted
	delivery       *Delivery
	tell           func(Attempt)
}

func (t *deliveryRun) damageCallback(fault string, how func([]byte) ([]byte, bool), callback []byte) []byte {
	spoiled, done := how(callback)
	if done {
		t.constantFaults = append(t.constantFaults, fault)
	}
	return spoiled
}

func (t *deliveryRun) newAttempt(n int, faults ...string) Attempt {
	return Attempt{Number: n, At: t.platform.now(), Faults: append(slices.Clone(t.constantFaults), faults...)}
}

// beginAttempt notes an attempt that is about to be sent.
func (t *deliveryRun) beginAttempt(a Attempt, post sender.SignedRequest) Attempt {
	a.Index, a.Body = len(t.delivery.Attempts), post.Body
	if u, err := t.CallbackURL(post.Query); err == nil {
		a.URL = u.String()
	}
	t.delivery.Attempts = append(t.delivery.Attempts, a)
	if t.tell != nil {
		t.tell(a)
	}
	return a
}

func (t *deliveryRun) endAttempt(a Attempt) {
	a.Done = true
	t.delivery.Attempts[a.Index] = a
	if t.tell != nil {
		t.tell(a)
	}
}

// sendAttempt is one of WeChat's three.
func (t *deliveryRun) sendAttempt(ctx context.Context, n int) {
	f, a := t.dice.faults, t.newAttempt(n)
	strikes := func(fault string, rate float64) bool {
		struck := t.dice.faultStrikes(fault, rate, n)
		if struck {
			a.Faults = append(a.Faults, fault)
		}
		return struck
	}
	waits := sender.Patience
	if n < sender.MaxAttempts && strikes("retry_early", f.RetryEarly) {
		waits = cmp.Or(f.RetryAfter, time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, waits)
	defer cancel()
	began := time.Now()
	post := t.signAttempt(n, strikes)
	lost := strikes("lose", f.Lose)
	if f.Delay > 0 {
		strikes("delay", 1)
	}
	s, copies := t.Sender, 1
	if !lost && strikes("cut", f.Cut) {
		s = cutAnswers(s)
	}
	if !lost && strikes("twice", f.Twice) {
		copies = 2
	}
	losesAnswer := !lost && strikes("lose_answer", f.LoseAnswer)
	all := make([]Attempt, copies)
	for i := range all {
		a.Copy = i > 0
		all[i] = t.beginAttempt(a, post)
	}
	lost = lost || f.Delay > 0 && !sleepOrDone(ctx, f.Delay)
	var sending sync.WaitGroup
	for i := range all {
		sending.Go(func() {
			if lost {
				<-ctx.Done()
				all[i].Err = noAnswer(ctx, began)
			} else {
				all[i].Result, all[i].Err = s.Post(ctx, t.out, post)
			}
			all[i].Took = time.Since(began)
		})
	}
	sending.Wait()
	for _, a := range all {
		if losesAnswer && a.Result != nil {
			<-ctx.Done()
			a.Took, a.Result, a.Err = time.Since(began), nil, noAnswer(ctx, began)
		}
		if t.delivery.Answer == nil {
			t.delivery.Answer = a.Result
		}
		t.endAttempt(a)
	}
}

// signAttempt signs an attempt, well or not.
func (t *deliveryRun) signAttempt(n int, strikes func(fault string, rate float64) bool) sender.SignedRequest {
	f, token := t.dice.faults, t.Account.Token
	if n > 1 && strikes("same_signature", f.SameSignature) {
		return t.firstSigned
	}
	if strikes("wrong_signature", f.WrongSignature) {
		token = "not " + token
	}
	if f.Clock != 0 {
		strikes("clock", 1)
	}
	w := t.Sign(t.out, token, t.platform.now().Add(f.Clock))
	if n == 1 {
		t.firstSigned = w
	}
	return w
}

func noAnswer(ctx context.Context, began time.Time) error {
	return fmt.Errorf("send: %w", sender.Because("no answer within %.1f s: %v", time.Since(began).Seconds(), ctx.Err()))
}

// sleepOrDone is false where ctx ends before.
func sleepOrDone(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cutting returns a Sender whose connections are cut in the middle of the answer.
func cutAnswers(s *sender.Sender) *sender.Sender {
	cut, client := *s, s.HTTPClient()
	client.Transport = cutTransport{cmp.Or[http.RoundTripper](client.Transport, http.DefaultTransport)}
	cut.Client = client
	return &cut
}

type cutTransport struct{ http.RoundTripper }

var errCut = sender.Because("the connection was cut in the middle of the answer")

// RoundTrip implements http.RoundTripper.
func (c cutTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	half := io.LimitReader(resp.Body, max(resp.ContentLength/2, 0))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(half, cutOff{}), resp.Body}
	return resp, nil
}

type cutOff struct{}

// Read implements io.Reader.
func (cutOff) Read([]byte) (int, error) { return 0, errCut }
