package fakewechat

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// userInput is the input of a user: a kind with its arguments, a wechat.v1.Message, or a whole callback.
type userInput struct {
	account string // AppID; "": the Config's. A callback that is not XML is addressed to it
	from    string // openid. It is the user of a callback that is not XML, or names no user
	kind    string
	args    []string
	message json.RawMessage // protobuf's JSON
	xml     string
}

// composeCallback makes the callback of a user's input. The error is errNoGateway if there is no gateway to send it to.
func (p *Platform) composeCallback(s userInput) (*userCallback, error) {
	to, err := p.requireAccount(s.account)
	if err != nil {
		return nil, err
	}
	if err := s.checkForm(); err != nil {
		return nil, err
	}
	c := &userCallback{}
	switch {
	case s.xml != "":
		c.kind, c.summary, c.XML, c.from = "xml", "xml", []byte(s.xml), s.from
	case s.message != nil:
		c.kind = "message"
		c.XML, err = p.composeMessage(to, s.from, s.message)
	default:
		c.kind, c.send = s.kind, append([]string{s.kind}, s.args...)
		c.summary = strings.Join(c.send, " ")
		c.XML, err = sender.Compose(to.settings.ReceiverID(), s.from, p.now(), s.kind, s.args...)
	}
	if err != nil {
		return nil, err
	}
	c.Callback, err = (&sender.Sender{Account: to.settings, From: c.from}).ReadCallback(c.XML)
	c.to = p.accountByOriginalID(c.To)
	if s.message != nil {
		c.summary = strings.TrimSpace(c.MsgType + " " + c.Event)
	}
	switch {
	case err != nil:
	case s.xml != "" && s.from != "" && s.from != c.From:
		err = errors.New("the callback's FromUserName is another user")
	case s.xml != "" && s.account != "" && s.account != c.to.settings.AppID:
		err = errors.New("the callback's ToUserName is another account")
	case c.to.sender == nil:
		err = errNoGateway
	}
	return c, err
}

// checkForm returns an error unless the input has exactly one of its three forms.
func (s *userInput) checkForm() error {
	switch {
	case s.xml == "" && s.kind == "" && s.message == nil:
		return errors.New("kind, message and xml are missing; kinds: " + sender.KindNames())
	case s.xml != "" && (s.kind != "" || s.args != nil || s.message != nil):
		return errors.New("xml is a whole callback: kind, args and message must not stand beside it")
	case s.message != nil && (s.kind != "" || s.args != nil):
		return errors.New("a message says which kind it is: kind and args must not stand beside it")
	}
	return nil
}

// composeMessage makes the callback of a message in JSON.
func (p *Platform) composeMessage(to *account, from string, message []byte) ([]byte, error) {
	m, err := sender.ReadMessage(message)
	if err != nil {
		return nil, err
	}
	return sender.ComposeMessage(to.settings.ReceiverID(), from, p.now(), m)
}

// serveKinds serves the forms of all kinds.
func (p *Platform) serveKinds(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string][]sender.KindForm{"kinds": sender.KindForms()})
}

// pageInput is a userInput in the page's JSON.
type pageInput struct {
	Account, User, Kind, XML string // Account is an AppID
	Args                     []string
	Message                  json.RawMessage
	New                      bool // XML is sent as a new callback, else byte for byte
}

// needsFollower reports whether the user must follow the account: a whole callback may be a retry, or made up, and is sent as
// it is.
func (s *pageInput) needsFollower() bool { return s.XML == "" || s.New }

func (s *pageInput) toUserInput(now time.Time) userInput {
	xml := s.XML
	if s.New {
		xml = string(sender.RenewCallback([]byte(xml), now))
	}
	return userInput{s.Account, s.User, s.Kind, s.Args, s.Message, xml}
}

// serveXML serves the callback of a user's input, its error, and whether the gateway has got it before. It sends nothing.
func (p *Platform) serveXML(w http.ResponseWriter, r *http.Request) {
	var input pageInput
	if problem := readJSON(w, r, &input); problem != "" {
		writeProblem(w, http.StatusBadRequest, problem)
		return
	}
	s := input.toUserInput(p.now())
	if s.xml != "" {
		s.from = "" // a missing FromUserName is reported, not replaced
	}
	answer := struct {
		XML     string `json:"xml"`
		Problem string `json:"problem"`
		Sent    bool   `json:"sent"`
	}{XML: s.xml}
	c, err := p.composeCallback(s)
	if err != nil && !errors.Is(err, errNoGateway) {
		answer.Problem = err.Error()
	} else {
		answer.XML, answer.Problem = string(c.XML), badUser(c.From)
		answer.Sent = p.chat.wasSent(c)
	}
	writeJSON(w, http.StatusOK, answer)
}

// badUser returns the error in a callback's user, or "".
func badUser(from string) string {
	if from == "" || len(from) > maxOpenID {
		return "the callback has no FromUserName that could be an openid"
	}
	return ""
}
