package sender

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The account of testdata/vectors.json's own vectors.
func testAccount(mode Mode) Account {
	return Account{
		AppID: "wx0000000000000001", AppSecret: "FakeSecret01", Token: "GatewayToken01",
		AESKey: "jXkQ2vT7mB9rZc4LwPy8uHn5sDg1aFe6oVi0KtRqYxE", OriginalID: account, Mode: mode,
	}
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

// signature is WeChat's, computed here and not by the code under test.
func signature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// unseal opens an Encrypt text with nothing but the standard library.
func unseal(t *testing.T, acc Account, encrypt string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(acc.AESKey + "=")
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 || len(b)%32 != 0 {
		t.Fatalf("%d bytes are no multiple of 32", len(b))
	}
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(b, b)
	b = b[:len(b)-int(b[len(b)-1])]
	size := binary.BigEndian.Uint32(b[16:])
	if got := string(b[20+size:]); got != acc.AppID {
		t.Errorf("the envelope ends with %q, not the AppID", got)
	}
	return string(b[20 : 20+size])
}

func TestSendRequest(t *testing.T) {
	text := compose(t, "text", "hi")
	for _, test := range []struct {
		mode   Mode
		params []string
	}{
		{Plain, []string{"signature", "timestamp", "nonce", "openid"}},
		{Compat, []string{"signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature"}},
		{Safe, []string{"signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature"}},
	} {
		t.Run(string(test.mode), func(t *testing.T) {
			acc := testAccount(test.mode)
			at, got := gateway(t, 200, fixed("success"))
			s := &Sender{URL: at + "/wechat/one?own=1", Account: acc, Now: func() time.Time { return time.Unix(1767225600, 0) }}
			r, err := s.Send(t.Context(), text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&Result{Status: 200, Took: r.Took, Body: []byte("success")}, r, cmpopts.IgnoreUnexported(Result{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var params []string
			for p := range strings.SplitSeq(got.rawQuery, "&") {
				name, _, _ := strings.Cut(p, "=")
				params = append(params, name)
			}
			if diff := cmp.Diff(append([]string{"own"}, test.params...), params); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
			q := got.query()
			if q.Get("signature") != signature(acc.Token, "1767225600", q.Get("nonce")) {
				t.Error("wrong signature")
			}
			if q.Get("openid") != User || q.Get("timestamp") != "1767225600" {
				t.Errorf("openid %q, timestamp %q", q.Get("openid"), q.Get("timestamp"))
			}
			want := map[string]string{"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0", "Accept": "*/*", "Pragma": "no-cache", "Accept-Encoding": ""}
			for name, value := range want {
				if got.header.Get(name) != value {
					t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
				}
			}
			if got.method != "POST" || got.path != "/wechat/one" {
				t.Errorf("%s %s", got.method, got.path)
			}
			if test.mode == Plain {
				if diff := cmp.Diff(string(text), string(got.body)); diff != "" {
					t.Errorf("body (-want +got):\n%s", diff)
				}
				return
			}
			var x struct{ ToUserName, FromUserName, Content, Encrypt string }
			if err := xml.Unmarshal(got.body, &x); err != nil {
				t.Fatal(err)
			}
			if q.Get("encrypt_type") != "aes" || q.Get("msg_signature") != signature(acc.Token, "1767225600", q.Get("nonce"), x.Encrypt) {
				t.Error("wrong encrypt_type or msg_signature")
			}
			if diff := cmp.Diff(string(text), unseal(t, acc, x.Encrypt)); diff != "" {
				t.Errorf("in the envelope (-want +got):\n%s", diff)
			}
			sealed := x.Encrypt
			x.Encrypt = ""
			if test.mode == Compat {
				if x.Content != "hi" || x.FromUserName != User || x.ToUserName != account {
					t.Errorf("compat without the plain fields: %+v", x)
				}
				return
			}
			layout := strings.ReplaceAll(string(got.body), sealed, "…") + "\n"
			if diff := cmp.Diff("<xml>\n    <ToUserName><![CDATA["+account+"]]></ToUserName>\n    <Encrypt><![CDATA[…]]></Encrypt>\n</xml>\n", layout); diff != "" {
				t.Errorf("safe (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultMode(t *testing.T) {
	for _, test := range []struct {
		key  string
		want Mode
	}{{"", Plain}, {testAccount("").AESKey, Safe}} {
		acc := Account{AppID: "wx0000000000000001", AESKey: test.key}
		mode, cipher, err := acc.newCipher()
		if mode != test.want || (cipher != nil) != (test.want == Safe) || err != nil {
			t.Errorf("with a key of %d characters: %q, %v", len(test.key), mode, err)
		}
		if mode, err := acc.Validate(); mode != test.want || err != nil {
			t.Errorf("with a key of %d characters, Validate: %q, %v", len(test.key), mode, err)
		}
	}
}

func TestSendErrors(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "<xml>")
	}))
	t.Cleanup(cut.Close)
	fine, _ := gateway(t, 200, fixed(""))
	bad := testAccount(Safe)
	bad.AESKey = "short"
	odd := testAccount("loud")
	text := string(compose(t, "text", "secretwords"))
	for _, test := range []struct {
		name, url string
		account   Account
		callback  string
		want      string
	}{
		{"nobody there", dead.URL, testAccount(Plain), text, "connection refused"},
		{"cut off", cut.URL, testAccount(Plain), text, "unexpected EOF"},
		{"no URL", "", testAccount(Plain), text, "the gateway's URL must look like"},
		{"no scheme", "127.0.0.1:8000", testAccount(Plain), text, "the gateway's URL must look like"},
		{"no XML", fine, testAccount(Plain), "{}", "the callback is not XML"},
		{"cut XML", fine, testAccount(Plain), "<xml><a>", "the callback is not XML"},
		{"without an end tag", fine, testAccount(Compat), "<xml/>", "the callback is not XML that ends with </xml>"},
		{"bad key", fine, bad, text, "safe mode: an EncodingAESKey has 43 characters, this one has 5"},
		{"bad mode", fine, odd, text, `unknown mode "loud": use plain, compat or safe`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Sender{URL: test.url, Account: test.account}
			r, err := s.Send(t.Context(), []byte(test.callback))
			if r != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %+v, %v; want %q", r, err, test.want)
			}
			for _, secret := range []string{"signature", User, "secretwords", test.account.Token, test.account.AESKey} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows %q: %v", secret, err)
				}
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSendSlow(t *testing.T) {
	text := compose(t, "text", "hi")
	synctest.Test(t, func(t *testing.T) {
		slow := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			time.Sleep(5001 * time.Millisecond)
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("success"))}, nil
		})}
		s := &Sender{URL: "http://gateway.test", Account: testAccount(Plain), Client: slow}
		r, err := s.Send(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"the answer took 5.0 s; WeChat hangs up after 5 s"}, r.Refused); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := s.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "hangs up") {
			t.Errorf("Verify: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		stuck := (&Sender{}).HTTPClient() // the default, but for the network
		stuck.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		s := &Sender{URL: "http://gateway.test", Account: testAccount(Plain), Client: stuck}
		began := time.Now()
		_, err := s.Send(t.Context(), text)
		if err == nil || !strings.HasPrefix(err.Error(), "send: gateway.test: no answer within 5.0 s: ") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestSendCancelled(t *testing.T) {
	at, _ := gateway(t, 200, fixed(""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Sender{URL: at, Account: testAccount(Plain)}).Send(ctx, compose(t, "text", "hi"))
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
}

func TestSendOddCallbacks(t *testing.T) {
	at, got := gateway(t, 200, fixed(replyText))
	for _, test := range []struct{ name, callback string }{
		{"control characters", string(compose(t, "text", "a\x08\x00b\uFFFE"))},
		{"invalid UTF-8", string(compose(t, "text", "a\xff"))},
		{"the first of two counts", "<xml><ToUserName>" + account + "</ToUserName><FromUserName>" + User +
			"</FromUserName><FromUserName>other</FromUserName></xml>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := (&Sender{URL: at, Account: testAccount(Plain)}).Send(t.Context(), []byte(test.callback))
			if err != nil || len(r.Refused) > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			if !bytes.Equal([]byte(test.callback), got.body) || got.query().Get("openid") != User {
				t.Errorf("sent %q, %s", got.body, got.rawQuery)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		answer func(q url.Values) string
		want   string
	}{
		{"good", 200, func(q url.Values) string { return q.Get("echostr") }, ""},
		{"refused", 403, func(url.Values) string { return "no" }, "verify: the status is 403, not 200: check the token"},
		{"a newline more", 200, func(q url.Values) string { return q.Get("echostr") + "\n" }, "byte for byte"},
		{"quoted", 200, func(q url.Values) string { return `"` + q.Get("echostr") + `"` }, "byte for byte"},
	} {
		t.Run(test.name, func(t *testing.T) {
			acc := testAccount(Safe)
			at, got := gateway(t, test.status, func(c *caught) string { return test.answer(c.query()) })
			err := (&Sender{URL: at, Account: acc}).Verify(t.Context())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			q := got.query()
			if got.method != "GET" || q.Get("signature") != signature(acc.Token, q.Get("timestamp"), q.Get("nonce")) || len(q) != 4 {
				t.Errorf("%s with %d parameters, or a wrong signature", got.method, len(q))
			}
		})
	}
}
