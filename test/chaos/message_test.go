package chaos

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

const (
	// chaosMark is in each text, and may be in no log.
	chaosMark = "quetzal"
	// openidMark is in each openid behind the six characters that a log may show.
	openidMark = "oChaos0"
	// busyText is what users read if neither replier nor store can be used, or if the bot's answer cannot be sent.
	busyText = "系统繁忙，请稍后再试。"
	// chaosUsers is how many users write; the fake platform knows 10,000 at a time.
	chaosUsers = 5000
)

// message is a text of a user, and what came of it.
type message struct {
	number int
	openid string
	text   string
	work   botWork
	id     string // MsgId
	sent   time.Time

	mu     sync.Mutex
	said   []string      // different contents of HTTP answers, success left out
	pushes []string      // contents of customer-service messages
	first  time.Duration // until the first HTTP answer of all; 0: none
	held   int           // attempts of WeChat's without an answer before one that had it
	failed string        // why the user saw WeChat's failure line; "": not
	double bool          // WeChat sent it twice, not waiting for an answer
	story  []string      // what came, and when
}

var msgIDElement = regexp.MustCompile(`<MsgId>(\d+)</MsgId>`)

// botWork is what a message has a bot do. Without seconds no bot is asked.
type botWork struct {
	seconds   float64 // until the answer
	kilobytes int     // of the answer, which cannot be sent; 0: it repeats the text
}

// text returns the text of a message that has a bot do it.
func (w botWork) text(mark string) string {
	switch {
	case w.seconds == 0:
		return "fast " + mark
	case w.kilobytes > 0:
		return fmt.Sprintf("slow %.1f large %d %s", w.seconds, w.kilobytes, mark)
	}
	return fmt.Sprintf("slow %.1f %s", w.seconds, mark)
}

// newMessage writes a text: "fast …", "slow SECONDS …" or "slow SECONDS large KILOBYTES …". callback is its XML.
func newMessage(number int, work botWork) (m *message, callback []byte, err error) {
	m = &message{number: number, sent: time.Now(), work: work, openid: openidOf(number % chaosUsers), text: work.text(fmt.Sprintf("%s-%d", chaosMark, number))}
	if callback, err = sender.Compose(testproc.OriginalID, m.openid, m.sent, "text", m.text); err != nil {
		return nil, nil, err
	}
	m.id = string(msgIDElement.FindSubmatch(callback)[1])
	return m, callback, nil
}

// openidOf returns the openid of one of the users.
func openidOf(user int) string { return fmt.Sprintf("oChaos%022d", user) }

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

// answered notes an HTTP answer.
func (m *message) answered(r *sender.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == 0 {
		m.first = time.Since(m.sent)
	}
	content := ""
	for _, f := range r.Fields {
		if f.Name == "Content" {
			content = f.Value
		}
	}
	switch {
	case len(r.Refused) > 0:
		m.failed = r.Refused[0]
		m.tell("an answer that WeChat refuses")
	case len(r.Fields) == 0:
		m.tell("success")
	default:
		m.tell("a reply")
		if !slices.Contains(m.said, content) {
			m.said = append(m.said, content)
		}
	}
}

// doubled notes that WeChat sends the message twice.
func (m *message) doubled() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.double = true
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
	m.tell(m.failed)
}

func (m *message) pushed(content string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pushes = append(m.pushes, content)
	m.tell("a push")
}

// tell goes on with the story. The caller holds mu.
func (m *message) tell(what string) {
	m.story = append(m.story, fmt.Sprintf("%s after %.3fs", what, time.Since(m.sent).Seconds()))
}

// done reports whether the user has an answer.
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
	right := echo(m.text)
	if m.work.kilobytes > 0 {
		right = busyText
	}
	for _, push := range m.pushes {
		f.wrong = f.wrong || push != right
	}
	return f
}

// String tells the story of a message, without its text.
func (m *message) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	kind, double := m.text[:4], ""
	if m.work.kilobytes > 0 {
		kind += ", an answer too large"
	}
	if m.double {
		double = ", sent twice"
	}
	return fmt.Sprintf("message %d (%s, MsgId %s, sent %s%s), held attempts %d: %s",
		m.number, kind, m.id, m.sent.UTC().Format("15:04:05.000"), double, m.held, strings.Join(m.story, ", "))
}
