package fakewechat

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// userInput is what a user shall say: a kind with its arguments, a wechat.v1.Message, or a whole callback.
type userInput struct {
	account string // its AppID; "": the Config's. Of a callback it is the account where that is no XML
	from    string // openid. Of a callback it is the user where that is no XML, or names none
	kind    string
	args    []string
	message json.RawMessage // protobuf's JSON
	xml     string
}

// composeCallback makes the callback of what a user says. The error tells what is wrong with it; errNoGateway, that there is
// nobody to send it to.
func (p *Platform) composeCallback(s userInput) (*userCallback, error) {
	c := &userCallback{kind: "xml", summary: "xml", Callback: sender.Callback{XML: []byte(s.xml)}}
	to, err := p.requireAccount(s.account)
	switch {
	case err != nil:
		return nil, err
	case s.xml == "" && s.kind == "" && s.message == nil:
		return nil, errors.New("nothing is said: kind, message and xml are missing; kinds: " + sender.KindNames())
	case s.xml != "" && (s.kind != "" || s.args != nil || s.message != nil):
		return nil, errors.New("xml is a whole callback: kind, args and message must not stand beside it")
	case s.message != nil && (s.kind != "" || s.args != nil):
		return nil, errors.New("a message says which kind it is: kind and args must not stand beside it")
	case s.xml != "":
		c.from = s.from
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

// composeMessage makes a callback of a message in JSON.
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

// pageInput is spoken in the page's JSON.
type pageInput struct {
	Account, User, Kind, XML string // Account is an AppID
	Args                     []string
	Message                  json.RawMessage
	New                      bool // XML is sent as a new callback, else byte for byte
}

// needsFollower reports whether the user does it now: a whole callback may be a retry, or made up, and goes out as it is.
func (s *pageInput) needsFollower() bool { return s.XML == "" || s.New }

func (s *pageInput) toUserInput(now time.Time) userInput {
	xml := s.XML
	if s.New {
		xml = string(sender.RenewCallback([]byte(xml), now))
	}
	return userInput{s.Account, s.User, s.Kind, s.Args, s.Message, xml}
}

// serveXML serves the XML that something spoken is sent as, what is wrong with it, and whether a gateway has it already:
// nothing is sent.
func (p *Platform) serveXML(w http.ResponseWriter, r *http.Request) {
	var said pageInput
	if problem := readJSON(w, r, &said); problem != "" {
		writeProblem(w, http.StatusBadRequest, problem)
		return
	}
	s := said.toUserInput(p.now())
	if s.xml != "" {
		s.from = "" // nobody stands in for what it lacks
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

// badUser says what is wrong with a callback's user; "" for nothing.
func badUser(from string) string {
	if from == "" || len(from) > maxOpenID {
		return "the callback has no FromUserName that could be an openid"
	}
	return ""
}
