package test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"wxgate/internal/fakewechat"
)

const (
	// chaosMark is in each text, and may be in no log.
	chaosMark = "quetzal"
	// openidMark is in each openid behind the six characters that a log may show.
	openidMark = "oChaos0"
	// busyText is the gateway's, where neither replier nor store can be used.
	busyText = "系统繁忙，请稍后再试。"
	// chaosUsers is how many users write; the fake platform knows 10,000 at a time.
	chaosUsers = 5000
)

// message is a text of a user, and what came of it.
type message struct {
	number int
	openid string
	text   string
	id     string // MsgId

	mu      sync.Mutex
	said    []string      // different contents of HTTP answers, success left out
	success bool          // an HTTP answer was success
	pushes  []string      // contents of customer-service messages
	first   time.Duration // until the first HTTP answer of all; 0: none
	held    int           // attempts of WeChat's without an answer before one that had it
	failed  string        // why the user saw WeChat's failure line; "": not
}

var msgIDElement = regexp.MustCompile(`<MsgId>(\d+)</MsgId>`)

// newMessage writes a text: "fast …", or "slow SECONDS …" where slow is not 0. callback is its XML.
func newMessage(number int, slow float64) (m *message, callback []byte, err error) {
	m = &message{number: number, openid: fmt.Sprintf("oChaos%022d", number%chaosUsers), text: fmt.Sprintf("fast %s-%d", chaosMark, number)}
	if slow != 0 {
		m.text = fmt.Sprintf("slow %.1f %s-%d", slow, chaosMark, number)
	}
	if callback, err = fakewechat.Compose(gh, m.openid, time.Now(), "text", m.text); err != nil {
		return nil, nil, err
	}
	m.id = string(msgIDElement.FindSubmatch(callback)[1])
	return m, callback, nil
}

var markedNumber = regexp.MustCompile(chaosMark + `-(\d+)$`)

// numberIn returns the number of the message that a text is or answers; false for another text.
func numberIn(text string) (int, bool) {
	match := markedNumber.FindStringSubmatch(text)
	if match == nil {
		return 0, false
	}
	n, err := strconv.Atoi(match[1])
	return n, err == nil
}

// answered notes an HTTP answer, so long after the message was sent first.
func (m *message) answered(r *fakewechat.Result, after time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == 0 || after < m.first {
		m.first = after
	}
	if len(r.Refused) > 0 {
		m.failed = r.Refused[0]
		return
	}
	content := ""
	for _, f := range r.Fields {
		if f.Name == "Content" {
			content = f.Value
		}
	}
	switch {
	case len(r.Fields) == 0:
		m.success = true
	case !slices.Contains(m.said, content):
		m.said = append(m.said, content)
	}
}

// afterHeld notes how many attempts had no answer before the one that had it.
func (m *message) afterHeld(attempts int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = attempts
}

// unanswered notes that WeChat gave up.
func (m *message) unanswered() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = "no answer in three attempts"
}

func (m *message) pushed(content string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pushes = append(m.pushes, content)
}

// done tells whether the user has an answer.
func (m *message) done() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.said)+len(m.pushes) > 0
}

// fate is what came of a message, seen from the user.
type fate struct {
	passive, pushed, busy bool // how an answer came
	lost                  bool // by no way
	twice                 bool // by two ways, or twice by one
	wrong                 bool // one that is another's
	late                  bool // WeChat's failure line was shown
}

// fate judges a message. Whether it is a documented exception is not its business.
func (m *message) fate() fate {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := fate{
		pushed: len(m.pushes) > 0,
		lost:   len(m.said)+len(m.pushes) == 0,
		twice:  len(m.said)+len(m.pushes) > 1,
		late:   m.failed != "",
	}
	for _, said := range m.said {
		switch said {
		case echo(m.text):
			f.passive = true
		case busyText:
			f.busy = true
		default:
			f.wrong = true
		}
	}
	for _, push := range m.pushes {
		f.wrong = f.wrong || push != echo(m.text)
	}
	return f
}

// String tells the story of a message, without its text.
func (m *message) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	kind := m.text[:4]
	return fmt.Sprintf("message %d (%s, MsgId %s): %d HTTP answers, success %t, %d pushes, held %d, first answer after %v, failed %q",
		m.number, kind, m.id, len(m.said), m.success, len(m.pushes), m.held, m.first.Round(time.Millisecond), m.failed)
}
