package fakewechat

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"wxgate/fakewechat/sender"
)

// faultRun is a Platform's faults, and how far their run has come.
type faultRun struct {
	mu        sync.Mutex
	faults    Faults
	callbacks uint64                   // since the faults were set
	calls     map[string]uint64        // likewise, by the path of an API call
	held      map[string]chan struct{} // a callback that is held back, by its user; closed when it may go
}

// Faults returns how the Platform misbehaves now, with the seed that repeats it.
func (p *Platform) Faults() Faults {
	p.faultState.mu.Lock()
	defer p.faultState.mu.Unlock()
	f := p.faultState.faults
	f.APIErrors = maps.Clone(f.APIErrors)
	return f
}

// SetFaults makes the Platform misbehave from now on, and begins a run: the same faults set again give the same. It
// returns them with the seed, which is made up where none is given.
func (p *Platform) SetFaults(f Faults) Faults {
	f.APIErrors = maps.Clone(f.APIErrors)
	if f.Seed == 0 && !f.isQuiet() {
		f.Seed = 1 + rand.Uint64N(999_999)
	}
	p.faultState.mu.Lock()
	p.faultState.faults, p.faultState.callbacks, p.faultState.calls = f, 0, map[string]uint64{}
	p.chat.sendFaults(f) // in the order of the settings
	p.faultState.mu.Unlock()
	p.log.Info("fake WeChat's faults", "faults", strings.ReplaceAll(f.String(), "=", " ")) // no "signature=" in a log
	return p.Faults()
}

// faultDice decides what strikes one callback or API call.
type faultDice struct {
	faults Faults
	of     string // path of a call, "" for callbacks
	number uint64
}

// nextCallback returns the next callback's lot.
func (m *faultRun) nextCallback() faultDice {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.callbacks++
	return faultDice{m.faults, "", m.callbacks}
}

// nextCall returns the lot of the path's next call.
func (m *faultRun) nextCall(path string) faultDice {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[path]++
	return faultDice{m.faults, path, m.calls[path]}
}

// drawNumber returns a number in [0, 1) that is the fault's alone; attempt is 0 for what is drawn once.
func (l faultDice) drawNumber(fault string, attempt int) float64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d %s %d", l.faults.Seed, l.of, l.number, fault, attempt))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

func (l faultDice) faultStrikes(fault string, rate float64, attempt int) bool {
	return rate > 0 && l.drawNumber(fault, attempt) < rate
}

// drawErrcode returns with what a call fails, 0 for none.
func (l faultDice) drawErrcode() int {
	left := l.drawNumber(apiErrors, 0)
	for _, errcode := range slices.Sorted(maps.Keys(l.faults.APIErrors)) {
		if left -= l.faults.APIErrors[errcode]; left < 0 {
			return errcode
		}
	}
	return 0
}

// waitTurn lets a user's callback through. One that is held waits until the next was sent, at most 5 s. Whoever gets
// through calls sent when its first attempt is over. Whoever lets another go is not held.
func (m *faultRun) waitTurn(ctx context.Context, openid string, hold bool) (sent func(), held bool) {
	m.mu.Lock()
	before := m.held[openid]
	if before != nil {
		delete(m.held, openid)
		m.mu.Unlock()
		return sync.OnceFunc(func() { close(before) }), false
	}
	if !hold {
		m.mu.Unlock()
		return func() {}, false
	}
	mine := make(chan struct{})
	m.held[openid] = mine
	m.mu.Unlock()
	limit := time.NewTimer(sender.Patience)
	defer limit.Stop()
	select {
	case <-mine:
	case <-limit.C:
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held[openid] == mine {
		delete(m.held, openid)
	}
	return func() {}, true
}

// badGateway is what comes from WeChat's front where nothing is behind it.
const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

// answerInstead answers a call that is not done, and returns its fault; "" for a call to do.
func (l faultDice) answerInstead(w http.ResponseWriter) (fault string) {
	switch {
	case l.faultStrikes("api_reset", l.faults.APIReset, 0):
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil { // not a connection of its own
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset in place of an orderly end
		}
		_ = conn.Close()
		return "api_reset"
	case l.faultStrikes("api_html", l.faults.APIHTML, 0):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte(badGateway))
		return "api_html"
	}
	return ""
}

// writeAnswer writes the answer of a call that is done: late, or half of it.
func (l faultDice) writeAnswer(w http.ResponseWriter, r *http.Request, body []byte) {
	if late := l.faults.APIDelay; late > 0 {
		c, ends := http.NewResponseController(w), time.Now().Add(late+sender.Patience)
		_ = c.SetWriteDeadline(ends)
		_ = c.SetReadDeadline(ends)
		if !sleepOrDone(r.Context(), late) {
			return
		}
	}
	if l.faultStrikes("api_half", l.faults.APIHalf, 0) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body))) // the server cuts a connection that owes bytes
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}
