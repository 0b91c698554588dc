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

// Attempt is one attempt to send a callback, possibly lost on its way.
type Attempt struct {
	Index  int            // in Delivery.Attempts
	Done   bool           // the fields after Body are known
	Number int            // from 1 to 3
	Copy   bool           // an additional copy: sent at the same time, or again after the answer
	At     time.Time      // when it began, by Config.Now
	Faults []string       // the faults that struck, by their names in Faults
	URL    string         // signed
	Body   []byte         // as posted
	Took   time.Duration  // until WeChat had the answer, or gave up
	Result *sender.Result // nil without an answer
	Err    error          // why there is no Result
}

// Delivery is the outcome of sending a callback.
type Delivery struct {
	Attempts []Attempt
	Answer   *sender.Result // the answer that WeChat took; nil: none
	Refused  []string       // why WeChat would show ServiceFailed to the user; empty: accepted
}

// deliverAttempts sends a callback as WeChat does: up to 3 attempts, one after the other, of 5 s each, until one has an
// answer, even a bad one (platform.md A.6). The Platform's faults strike. tell, if not nil, is called for each attempt when it
// begins and when it is done. An error means that the callback cannot be sent: it is not XML and From is empty, or the account
// or the URL is invalid. If ctx ends, the attempts end.
func (p *Platform) deliverAttempts(ctx context.Context, s *sender.Sender, callback []byte, tell func(Attempt)) (*Delivery, error) {
	t := &deliveryRun{Sender: s, platform: p, dice: p.faultState.nextCallback(), delivery: &Delivery{}, tell: tell}
	f := t.dice.faults
	if t.dice.faultStrikes(faultUnknownType, f.UnknownType, 0) {
		callback = t.damageCallback(faultUnknownType, t.dice.changeType, callback)
	}
	var err error
	if t.out, err = s.Prepare(callback); err != nil {
		return nil, err
	}
	if _, err := s.CallbackURL(""); err != nil {
		return nil, err
	}
	p.RecordCallback(t.out.Callback)
	if t.dice.faultStrikes(faultControlCharacters, f.ControlCharacters, 0) {
		t.out.Callback.XML = t.damageCallback(faultControlCharacters, t.dice.addControl, t.out.Callback.XML)
	}
	if t.dice.faultStrikes(faultBrokenCDATA, f.BrokenCDATA, 0) {
		t.out.Callback.XML = t.damageCallback(faultBrokenCDATA, t.dice.breakCDATA, t.out.Callback.XML)
	}
	sent, held := p.faultState.waitTurn(ctx, t.out.Callback.From, t.dice.faultStrikes(faultOutOfOrder, f.OutOfOrder, 0))
	if held {
		t.constantFaults = append(t.constantFaults, faultOutOfOrder)
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
	if t.dice.faultStrikes(faultDuplicate, f.Duplicate, 0) {
		t.sendDuplicate(ctx)
	}
	return t.delivery, nil
}

// sendDuplicate sends the callback once more after its answer.
func (t *deliveryRun) sendDuplicate(ctx context.Context) {
	a := t.newAttempt(t.delivery.Attempts[len(t.delivery.Attempts)-1].Number, faultDuplicate)
	a.Copy = true
	post := t.Sign(t.out, t.Account.Token, t.platform.now().Add(t.dice.faults.Clock))
	ctx, cancel := context.WithTimeout(ctx, sender.Patience)
	defer cancel()
	began := time.Now()
	a = t.beginAttempt(a, post)
	a.Result, a.Err = t.Post(ctx, t.out, post)
	a.Took = time.Since(began)
	t.endAttempt(a)
}

var noAnswerAtAll = sender.Because("no answer in three attempts")

// deliveryRun is the state of one callback's delivery.
type deliveryRun struct {
	*sender.Sender
	platform       *Platform
	dice           faultDice
	out            *sender.Outgoing
	constantFaults []string             // faults of all attempts
	firstSigned    sender.SignedRequest // the request of the first attempt
	delivery       *Delivery
	tell           func(Attempt)
}

// damageCallback applies a fault to a callback, and notes the fault if it changed something.
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

// beginAttempt records an attempt that is about to be sent.
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

// sendAttempt makes one of WeChat's three attempts, twice at once if that fault strikes.
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
	if n < sender.MaxAttempts && strikes(faultRetryEarly, f.RetryEarly) {
		waits = cmp.Or(f.RetryAfter, time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, waits)
	defer cancel()
	began := time.Now()
	post := t.signAttempt(n, strikes)
	lost := strikes(faultLose, f.Lose)
	if f.Delay > 0 {
		strikes(faultDelay, 1)
	}
	s, copies := t.Sender, 1
	if !lost && strikes(faultCut, f.Cut) {
		s = cutAnswers(s)
	}
	if !lost && strikes(faultTwice, f.Twice) {
		copies = 2
	}
	losesAnswer := !lost && strikes(faultLoseAnswer, f.LoseAnswer)
	all := make([]Attempt, copies)
	for i := range all {
		a.Copy = i > 0
		all[i] = t.beginAttempt(a, post)
	}
	lost = lost || f.Delay > 0 && !sleepOrDone(ctx, f.Delay)
	t.postAll(ctx, s, post, all, began, lost)
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

// postAll posts all copies of an attempt at once, and waits for their answers. Lost copies get none.
func (t *deliveryRun) postAll(ctx context.Context, s *sender.Sender, post sender.SignedRequest, all []Attempt, began time.Time, lost bool) {
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
}

// signAttempt signs an attempt. By a fault the signature may be old, wrong, or of another time.
func (t *deliveryRun) signAttempt(n int, strikes func(fault string, rate float64) bool) sender.SignedRequest {
	f, token := t.dice.faults, t.Account.Token
	if n > 1 && strikes(faultSameSignature, f.SameSignature) {
		return t.firstSigned
	}
	if strikes(faultWrongSignature, f.WrongSignature) {
		token = "not " + token
	}
	if f.Clock != 0 {
		strikes(faultClock, 1)
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

// sleepOrDone waits for d. It returns false if ctx ends first.
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

// cutAnswers returns a copy of a Sender that cuts the connections in the middle of the answer.
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
