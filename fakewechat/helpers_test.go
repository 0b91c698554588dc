package fakewechat

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wxgate/fakewechat/sender"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const originalID = "gh_0a1b2c3d4e5f"

var at = time.Unix(1767225600, 0)

func testAccount(mode sender.Mode) sender.Account {
	return sender.Account{
		AppID: "wx0000000000000001", AppSecret: "FakeSecret01", Token: "GatewayToken01",
		AESKey: "jXkQ2vT7mB9rZc4LwPy8uHn5sDg1aFe6oVi0KtRqYxE", OriginalID: originalID, Mode: mode,
	}
}

func compose(t *testing.T, kind string, args ...string) []byte {
	t.Helper()
	b, err := sender.Compose(originalID, sender.User, at, kind, args...)
	if err != nil {
		t.Fatalf("Compose(%q, %q): %v", kind, args, err)
	}
	return b
}

// as makes a reply of a MsgType.
func as(kind, rest string) string {
	return "<xml><ToUserName>" + sender.User + "</ToUserName><FromUserName>" + originalID +
		"</FromUserName><CreateTime>1767225601</CreateTime><MsgType>" + kind + "</MsgType>" + rest + "</xml>"
}

func sample(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../internal/wechat/testdata/samples", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// caught is the request that a gateway got.
type caught struct {
	method, path, rawQuery string
	header                 http.Header
	body                   []byte
}

func (c *caught) query() url.Values {
	q, err := url.ParseQuery(c.rawQuery)
	if err != nil {
		panic(err)
	}
	return q
}

// gateway serves one answer to all and keeps the last request.
func gateway(t *testing.T, status int, answer func(c *caught) string) (string, *caught) {
	t.Helper()
	c := &caught{}
	var mu sync.Mutex // calls may come at once
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		*c = caught{r.Method, r.URL.Path, r.URL.RawQuery, r.Header, body}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer(c))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, c
}

func fixed(answer string) func(*caught) string { return func(*caught) string { return answer } }
