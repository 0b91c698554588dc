package fakewechat

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sendShown sends a callback to the gateway, and puts each attempt on the page. The log shows its kind, the page what.
func (p *Platform) sendShown(ctx context.Context, kind, what string, callback []byte) (*Delivery, error) {
	return p.sender.Deliver(ctx, callback, func(a Attempt) {
		if !a.Done {
			return
		}
		s := seen{What: fmt.Sprintf("send %s (attempt %d of %d)", what, a.Number, attempts)}
		log := p.log.With("kind", kind, "attempt", a.Number)
		if len(a.Faults) > 0 {
			log = log.With("faults", a.Faults)
			s.What += ", faults: " + strings.Join(a.Faults, ", ")
		}
		if a.Err != nil {
			log.Info("fake WeChat sent a callback", "err", a.Err)
			s.Outcome = a.Err.Error()
			if a.Number == attempts && !a.Copy {
				s.Refused = []string{"no answer in three attempts"}
			}
		} else {
			log.Info("fake WeChat sent a callback", "status", a.Result.Status, "took", a.Result.Took, "refused", len(a.Result.Refused))
			s.Outcome = fmt.Sprintf("status %d in %d ms", a.Result.Status, a.Result.Took.Milliseconds())
			s.Fields, s.Refused = slices.Clone(a.Result.Fields), a.Result.Refused
		}
		p.saw(s)
	})
}

// longAnswer gives a handler the time of three slow attempts, which is more than a server usually lets it have. Not
// every writer has a deadline.
func longAnswer(w http.ResponseWriter) {
	c, ends := http.NewResponseController(w), time.Now().Add((attempts+2)*patience)
	_ = c.SetWriteDeadline(ends)
	_ = c.SetReadDeadline(ends) // it would end the request's context
}
