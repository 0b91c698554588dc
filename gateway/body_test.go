package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"wxgate/internal/wechat"
)

// allocated returns how many bytes f allocates, in all goroutines.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestFindingsBodyGrowsAsItArrives: a stranger who announces a large body and sends a byte of it takes little memory.
func TestFindingsBodyGrowsAsItArrives(t *testing.T) {
	const requests = 64
	for name, announced := range map[string]int64{"the largest length": wechat.MaxBody, "no length": -1} {
		t.Run(name, func(t *testing.T) {
			got := allocated(func() {
				for range requests {
					r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(errors.New("gone"))))
					r.ContentLength = announced
					if body, err := readBody(httptest.NewRecorder(), r); err == nil {
						t.Fatalf("%d bytes, no error", len(body))
					}
				}
			})
			if most := uint64(requests * 4 * firstRead); got > most {
				t.Errorf("%d requests of one byte took %d bytes, want at most %d", requests, got, most)
			}
		})
	}
	t.Run("over the network", func(t *testing.T) {
		f := start(t, nil)
		got := allocated(func() {
			for range requests {
				q := own.sealedQuery(now(), "x")
				conn := f.dial(t)
				fmt.Fprintf(conn, "POST /wechat/safe?%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nx", q.Encode(), wechat.MaxBody)
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, conn) // until the gateway hangs up
				_ = conn.Close()
			}
		})
		if most := uint64(requests * wechat.MaxBody / 2); got > most {
			t.Errorf("%d requests of one byte took %d bytes, want at most %d", requests, got, most)
		}
	})
}

// TestFindingsBodyIsReadWhole: however the bytes come, and whatever length was announced, the body is what was sent.
func TestFindingsBodyIsReadWhole(t *testing.T) {
	for _, size := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, 3 * firstRead, wechat.MaxBody - 1, wechat.MaxBody} {
		sent := strings.Repeat("0123456789", size/10+1)[:size]
		for _, announced := range []int64{int64(size), -1} {
			for how, wrap := range map[string]func(io.Reader) io.Reader{
				"at once": func(r io.Reader) io.Reader { return r }, "by halves": iotest.HalfReader, "with EOF": iotest.DataErrReader,
			} {
				r := httptest.NewRequest(http.MethodPost, "/", wrap(strings.NewReader(sent)))
				r.ContentLength = announced
				body, err := readBody(httptest.NewRecorder(), r)
				if err != nil || string(body) != sent || cap(body) > 3*max(size, firstRead) {
					t.Errorf("%d bytes %s, announced %d: %d bytes of %d allocated, %v", size, how, announced, len(body), cap(body), err)
				}
			}
		}
	}
}

// TestFindingsQueryIsCheckedBeforeTheBody: what the query alone makes wrong is refused while the body is still owed.
func TestFindingsQueryIsCheckedBeforeTheBody(t *testing.T) {
	f := start(t, nil)
	const old = "1767225600"
	set := func(q url.Values, name, value string) url.Values { q.Set(name, value); return q }
	for _, test := range []struct {
		name, path string
		query      url.Values
		reason     string
	}{
		{"plain, another signature", "/", set(own.query(now()), "signature", strings.Repeat("0", 40)), "signature"},
		{"plain, too old", "/", own.query(old), "timestamp"},
		{"plain for a safe account", "/wechat/safe", own.query(now()), "mode"},
		{"plain for a compat account", "/wechat/compat", own.query(now()), "mode"},
		{"sealed, too old", "/wechat/safe", own.sealedQuery(old, "x"), "timestamp"},
		{"sealed, no time", "/wechat/safe", own.sealedQuery("soon", "x"), "timestamp"},
		{"sealed for a plain account", "/", own.sealedQuery(now(), "x"), "mode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := f.outcomes(t)[test.reason]
			conn := f.dial(t)
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s?%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", test.path, test.query.Encode())
			for deadline := time.Now().Add(5 * time.Second); f.outcomes(t)[test.reason] == before; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("outcomes %v; want one more %s, without the body", f.outcomes(t), test.reason)
				}
			}
		})
	}
}

// TestFindingsCompatTakesSealedBodiesOnly: who has seen the query of a sealed callback cannot send another body with it.
func TestFindingsCompatTakesSealedBodiesOnly(t *testing.T) {
	f := start(t, nil)
	message := textXML(testText)
	encrypt := own.seal(message)
	genuine := own.sealedQuery(now(), encrypt)
	f.post(t, callback{"/wechat/compat", genuine.Encode(), compatBody(message, encrypt)}).expect(t, 200, "success")
	stolen := url.Values{}
	for _, name := range []string{"signature", "timestamp", "nonce", "openid"} {
		stolen.Set(name, genuine.Get(name))
	}
	forged := map[string]string{
		"XML": textXML("forged"), "the plain half": message,
		"JSON": fmt.Sprintf(`{"ToUserName":%q,"FromUserName":"oVictim","CreateTime":1,"MsgType":"text","Content":"forged","MsgId":1}`, testAccount),
	}
	for name, body := range forged {
		for _, how := range []string{"", "&encrypt_type=raw"} {
			t.Run(name+how, func(t *testing.T) {
				f.post(t, callback{"/wechat/compat", stolen.Encode() + how, body}).expect(t, 403, "Forbidden\n")
			})
		}
	}
	if heard := f.bot.heard(); len(heard) != 1 {
		t.Errorf("the replier was asked %d times, want once", len(heard))
	}
}

// dial opens a connection to the public address.
func (f *fixture) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", f.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
