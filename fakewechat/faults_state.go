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

// faultRun is the faults of a Platform, and how far their run has come.
type faultRun struct {
	mu        sync.Mutex
	faults    Faults
	callbacks uint64                   // number of callbacks since the faults were set
	calls     map[string]uint64        // number of calls since then, by API path
	held      map[string]chan struct{} // the callback that is held, by its user; closed when it may go
}

// Faults returns the faults that are now on, with the seed that repeats them.
func (p *Platform) Faults() Faults {
	p.faultState.mu.Lock()
	defer p.faultState.mu.Unlock()
	f := p.faultState.faults
	f.APIErrors = maps.Clone(f.APIErrors)
	return f
}

// SetFaults makes the Platform misbehave from now on, and begins a run: the same faults, set again, give the same run. It
// returns the faults with their seed, which is chosen at random if it is 0.
func (p *Platform) SetFaults(f Faults) Faults {
	f.APIErrors = maps.Clone(f.APIErrors)
	if f.Seed == 0 && !f.isQuiet() {
		f.Seed = 1 + rand.Uint64N(999_999)
	}
	p.faultState.mu.Lock()
	p.faultState.faults, p.faultState.callbacks, p.faultState.calls = f, 0, map[string]uint64{}
	p.chat.sendFaults(f) // under the lock, so that pages see the settings in their order
	p.faultState.mu.Unlock()
	p.log.Info("fake WeChat's faults", "faults", strings.ReplaceAll(f.String(), "=", " ")) // no "signature=" in a log
	return p.Faults()
}

// faultDice draws the faults of one callback or API call.
type faultDice struct {
	faults Faults
	of     string // path of an API call; "": a callback
	number uint64
}

// nextCallback returns the dice of the next callback.
func (m *faultRun) nextCallback() faultDice {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.callbacks++
	return faultDice{m.faults, "", m.callbacks}
}

// nextCall returns the dice of the path's next call.
func (m *faultRun) nextCall(path string) faultDice {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[path]++
	return faultDice{m.faults, path, m.calls[path]}
}

// drawNumber returns a number in [0, 1) that is independent for each fault. attempt is 0 for faults that are drawn once per
// callback.
func (l faultDice) drawNumber(fault string, attempt int) float64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d %s %d", l.faults.Seed, l.of, l.number, fault, attempt))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

func (l faultDice) faultStrikes(fault string, rate float64, attempt int) bool {
	return rate > 0 && l.drawNumber(fault, attempt) < rate
}

// drawErrcode returns the errcode with which a call fails, or 0.
func (l faultDice) drawErrcode() int {
	left := l.drawNumber(apiErrors, 0)
	for _, errcode := range slices.Sorted(maps.Keys(l.faults.APIErrors)) {
		if left -= l.faults.APIErrors[errcode]; left < 0 {
			return errcode
		}
	}
	return 0
}

// waitTurn delays a user's callback if hold is true: it waits until the user's next callback was sent, at most 5 s. A callback
// that releases a held one is never held itself. The caller must call sent after its first attempt.
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

// badGateway is the page of WeChat's front server if no server answers it.
const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

// answerInstead answers a call by a fault, without making it. It returns the fault's name, or "" if the call is to be made.
func (l faultDice) answerInstead(w http.ResponseWriter) (fault string) {
	switch {
	case l.faultStrikes(faultAPIReset, l.faults.APIReset, 0):
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil { // HTTP/2, or a test's writer
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // reset the connection rather than close it
		}
		_ = conn.Close()
		return faultAPIReset
	case l.faultStrikes(faultAPIHTML, l.faults.APIHTML, 0):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte(badGateway))
		return faultAPIHTML
	}
	return ""
}

// writeAnswer writes the answer of a call that was made: late or cut in half, if these faults strike.
func (l faultDice) writeAnswer(w http.ResponseWriter, r *http.Request, body []byte) {
	if late := l.faults.APIDelay; late > 0 {
		c, ends := http.NewResponseController(w), time.Now().Add(late+sender.Patience)
		_ = c.SetWriteDeadline(ends)
		_ = c.SetReadDeadline(ends)
		if !sleepOrDone(r.Context(), late) {
			return
		}
	}
	if l.faultStrikes(faultAPIHalf, l.faults.APIHalf, 0) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body))) // the server closes a connection with too few bytes
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}
