package fakewechat

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// badGateway is what comes from WeChat's front where nothing is behind it.
const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

// instead answers a call that is not done, and returns its fault; "" for a call to do.
func (l lot) instead(w http.ResponseWriter) (fault string) {
	switch {
	case l.strikes("api_reset", l.faults.APIReset, 0):
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil { // not a connection of its own
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset in place of an orderly end
		}
		_ = conn.Close()
		return "api_reset"
	case l.strikes("api_html", l.faults.APIHTML, 0):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte(badGateway))
		return "api_html"
	}
	return ""
}

// answer writes the answer of a call that is done: late, or half of it.
func (l lot) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	if late := l.faults.APIDelay; late > 0 {
		c, ends := http.NewResponseController(w), time.Now().Add(late+patience)
		_ = c.SetWriteDeadline(ends)
		_ = c.SetReadDeadline(ends)
		if !sleep(r.Context(), late) {
			return
		}
	}
	if l.strikes("api_half", l.faults.APIHalf, 0) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body))) // the server cuts a connection that owes bytes
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}
