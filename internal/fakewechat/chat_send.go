package fakewechat

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// callback is one that a user of the platform makes.
type callback struct {
	kind string // of Compose, for the log
	what string // for the list of what the platform saw
	xml  []byte
	req  request
}

// line puts the callback into its user's chat.
func (c *callback) line(p *Platform, from string) int64 {
	elements, _ := topLevel(c.xml)
	return p.chat.add(chatLine{
		User: c.req.from, At: p.now(), From: from, Fields: elements, Done: from == fromElsewhere, XML: string(c.xml),
	})
}

// deliver sends a callback that has a line in its user's chat, up to three times as WeChat does.
func (p *Platform) deliver(ctx context.Context, id int64, c *callback) {
	defer p.chat.change(id, func(l *chatLine) { l.Done = true })
	for n := 1; n <= attempts && ctx.Err() == nil; n++ {
		if p.attempt(ctx, id, n, c) {
			return
		}
	}
}

// attempt sends a callback once and says whether there was an answer.
func (p *Platform) attempt(ctx context.Context, id int64, n int, c *callback) bool {
	a := &chatAttempt{At: p.now(), Running: true}
	p.chat.change(id, func(l *chatLine) { l.Attempts = append(l.Attempts, a) })
	s := seen{What: fmt.Sprintf("send %s (attempt %d of %d)", c.what, n, attempts)}
	began := time.Now()
	sender, tap := p.sender.tapped()
	res, err := sender.Send(ctx, c.xml)
	took := time.Since(began)
	if err != nil {
		p.log.Info("fake WeChat sent a callback", "kind", c.kind, "attempt", n, "err", err)
		s.Outcome = err.Error()
		if n == attempts {
			s.Refused = []string{"no answer in three attempts"}
		}
	} else {
		took = res.Took
		p.log.Info("fake WeChat sent a callback", "kind", c.kind, "attempt", n,
			"status", res.Status, "took", res.Took, "refused", len(res.Refused))
		s.Outcome = fmt.Sprintf("status %d in %d ms", res.Status, res.Took.Milliseconds())
		s.Fields, s.Refused = res.Fields, res.Refused
	}
	p.chat.change(id, func(*chatLine) {
		a.Running, a.Millis, a.Exchange = false, took.Milliseconds(), tap.exchange()
		a.Refused = s.Refused
		if err != nil {
			a.Error = err.Error()
			return
		}
		a.Status, a.Fields = res.Status, bounded(res.Fields)
		a.Exchange.Answer, a.Exchange.Opened = clip(string(res.Body), maxShown), clip(string(res.XML), maxShown)
	})
	p.saw(s)
	return err == nil
}

// tapped returns a sender that shows what its next call sends.
func (s *Sender) tapped() (*Sender, *wiretap) {
	sender, client := *s, s.client()
	tap := &wiretap{next: cmp.Or(client.Transport, http.DefaultTransport)}
	client.Transport = tap
	sender.Client = client
	return &sender, tap
}

// wiretap is a transport that keeps the call that it makes.
type wiretap struct {
	next http.RoundTripper
	url  string
	body []byte
}

// RoundTrip implements http.RoundTripper.
func (t *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	t.url = r.URL.String()
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			t.body, _ = io.ReadAll(io.LimitReader(body, maxShown+1))
		}
	}
	return t.next.RoundTrip(r)
}

func (t *wiretap) exchange() *chatExchange {
	return &chatExchange{URL: clip(t.url, maxShown), Request: clip(string(t.body), maxShown)}
}
