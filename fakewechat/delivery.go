package fakewechat

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

var errNoGateway = sender.Because("no gateway to send to: give the fake platform its callback URL")

// userCallback is a callback of a user of the Platform.
type userCallback struct {
	sender.Callback
	kind    string // of Compose, for the log
	summary string // for the log page
	to      *account
	send    []string // the kind and arguments that it was composed of
	from    string   // see Sender.From
}

// addLine adds the callback to its user's chat. It returns the line's id, or 0 if the callback has no user.
func (c *userCallback) addLine(p *Platform, from lineOrigin) int64 {
	if c.From == "" {
		return 0
	}
	elements, _ := sender.ReadElements(c.XML)
	return p.chat.addLine(chatLine{
		Account: c.to.settings.AppID, User: c.From, At: p.now(), From: from, Fields: elements, Done: from == fromElsewhere,
		XML: string(c.XML), Send: c.send,
	})
}

// wasSent reports whether a user sent a callback before, so that a gateway takes it for a retry.
func (c *chatStore) wasSent(sent *userCallback) bool {
	elements, _ := sender.ReadElements(sent.XML)
	id := valueOf(elements, "MsgId")
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.lines, func(l *chatLine) bool {
		if l.From == fromAccount || l.userKey() != (chatUserKey{sent.to.settings.AppID, sent.From}) {
			return false
		}
		return id != "" && id == valueOf(l.Fields, "MsgId") || id == "" && l.XML == string(sent.XML)
	})
}

// valueOf returns the first value of a name, or "".
func valueOf(fields []sender.Field, name string) string {
	if i := slices.IndexFunc(fields, func(f sender.Field) bool { return f.Name == name }); i >= 0 {
		return strings.TrimSpace(fields[i].Value)
	}
	return ""
}

// sendShown sends a user's input to the gateway, and shows it in the user's chat.
func (p *Platform) sendShown(ctx context.Context, input userInput) (*Delivery, error) {
	c, err := p.composeCallback(input)
	if err != nil {
		return nil, err
	}
	return p.deliverShown(ctx, c.addLine(p, fromUser), c)
}

// deliverShown delivers a callback that has a line in its user's chat, and updates the line.
func (p *Platform) deliverShown(ctx context.Context, id int64, c *userCallback) (*Delivery, error) {
	gateway := *c.to.sender
	gateway.From = c.from
	d, err := p.deliverAttempts(ctx, &gateway, c.XML, func(a Attempt) {
		p.chat.changeLine(id, func(l *chatLine) { l.setAttempt(a) })
		if a.Done {
			p.logAttempt(c, a)
		}
	})
	p.chat.changeLine(id, func(l *chatLine) {
		l.Done = true
		if err != nil {
			l.Refused, l.RefusedZH = []string{err.Error()}, []string{sender.InChinese(err)}
			return
		}
		l.Refused, l.RefusedZH = d.Refused, []string{noAnswerAtAll.Chinese()}
		if d.Answer != nil {
			l.RefusedZH = d.Answer.RefusedInChinese()
		}
	})
	return d, err
}

// setAttempt records an attempt that begins, or is done.
func (l *chatLine) setAttempt(a Attempt) {
	for len(l.Attempts) <= a.Index {
		l.Attempts = append(l.Attempts, &chatAttempt{})
	}
	shown := &chatAttempt{
		Number: a.Number, Copy: a.Copy, At: a.At, Running: !a.Done, Millis: a.Took.Milliseconds(), Faults: a.Faults,
		Exchange: &chatExchange{URL: sender.Clip(a.URL, maxShown), Request: sender.Clip(string(a.Body), maxShown)},
	}
	if a.Err != nil {
		shown.Error, shown.ErrorZH = a.Err.Error(), sender.InChinese(a.Err)
	}
	if r := a.Result; r != nil {
		shown.Status, shown.Fields = r.Status, boundedFields(r.Fields)
		shown.Refused, shown.RefusedZH = r.Refused, r.RefusedInChinese()
		shown.Hidden, shown.Warnings, shown.WarningsZH = r.Hidden, r.Warnings, r.WarningsInChinese()
		shown.Exchange.Answer, shown.Exchange.Opened = sender.Clip(string(r.Body), maxShown), sender.Clip(string(r.XML), maxShown)
	}
	l.Attempts[a.Index] = shown
}

// logAttempt writes an attempt that is done to the log page and to the log.
func (p *Platform) logAttempt(c *userCallback, a Attempt) {
	s := logLine{What: inBoth("send %s (attempt %d of %d)", c.summary, a.Number, sender.MaxAttempts)}
	log := p.log.With("kind", c.kind, "attempt", a.Number)
	if len(a.Faults) > 0 {
		log = log.With("faults", a.Faults)
		s.What = inBoth("send %s (attempt %d of %d), faults: %s", c.summary, a.Number, sender.MaxAttempts, strings.Join(a.Faults, ", "))
	}
	if a.Err != nil {
		log.Info("fake WeChat sent a callback", "error", a.Err.Error())
		s.Outcome = bilingualText{a.Err.Error(), sender.InChinese(a.Err)}
		if a.Number == sender.MaxAttempts && !a.Copy {
			s.Refused = []bilingualText{{noAnswerAtAll.Error(), noAnswerAtAll.Chinese()}}
		}
	} else {
		log.Info("fake WeChat sent a callback", "status", a.Result.Status, "ms", float64(a.Result.Took.Microseconds())/1000, "refused", len(a.Result.Refused))
		s.Outcome = inBoth("status %d in %d ms", a.Result.Status, a.Result.Took.Milliseconds())
		r := a.Result
		s.Fields = slices.Clone(r.Fields)
		s.Refused, s.Warnings = zipTexts(r.Refused, r.RefusedInChinese()), zipTexts(r.Warnings, r.WarningsInChinese())
	}
	p.addLogLine(s)
}

// longAnswer gives a handler the time of three slow attempts, which is longer than servers usually allow. Writers without
// deadlines are left as they are.
func longAnswer(w http.ResponseWriter) {
	c, ends := http.NewResponseController(w), time.Now().Add((sender.MaxAttempts+2)*sender.Patience)
	_ = c.SetWriteDeadline(ends)
	_ = c.SetReadDeadline(ends) // it would end the request's context
}
