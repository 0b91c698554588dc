package gateway

import (
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"wxgate/internal/accounts"

	"github.com/google/go-cmp/cmp"
)

func TestParameters(t *testing.T) {
	f := start(t, nil)
	encrypt := own.seal(textXML(testText))
	verify := own.query(now())
	verify.Set("echostr", "e")
	kinds := []struct {
		name, method, path string
		q                  url.Values
		body               string
		needed             []string
	}{
		{"verify", "GET", "/", verify, "", []string{"signature", "timestamp", "nonce", "echostr"}},
		{"plain", "POST", "/", own.query(now()), textXML(testText), []string{"signature", "timestamp", "nonce"}},
		{"sealed", "POST", "/wechat/safe", own.sealedQuery(now(), encrypt), safeBody(encrypt), []string{"msg_signature", "timestamp", "nonce"}},
	}
	for _, kind := range kinds {
		for _, name := range kind.needed {
			good := kind.q.Get(name)
			for what, values := range map[string][]string{
				"missing":   nil,
				"empty":     {""},
				"repeated":  {good, good},
				"two":       {good, "other"},
				"good last": {"", good},
				"too long":  {strings.Repeat("1", 513)},
			} {
				t.Run(kind.name+"/"+name+" "+what, func(t *testing.T) {
					q := maps.Clone(kind.q)
					q[name] = values
					got := f.do(t, kind.method, f.public+kind.path+"?"+q.Encode(), strings.NewReader(kind.body))
					if got.Status != 400 || !strings.HasPrefix(got.Body, "Bad Request: "+name+": ") {
						t.Errorf("%d %q; want 400 that names %s", got.Status, got.Body, name)
					}
				})
			}
		}
	}
	if got := f.bot.heard(); len(got) != 0 {
		t.Errorf("the replier was asked about %v", got)
	}
}

// What no signature covers is not asked for: signature of a sealed callback, encrypt_type of a GET.
func TestParametersThatDoNotMatter(t *testing.T) {
	f := start(t, nil)
	sealed := own.of(accounts.Safe, textXML(testText))
	for _, signature := range []string{"", "&signature=", "&signature=wrong"} {
		q, _ := url.ParseQuery(sealed.query)
		q.Del("signature")
		f.post(t, callback{sealed.path, q.Encode() + signature, sealed.body}).expect(t, 200, "success")
	}
	q := own.query(now())
	q.Set("echostr", "e")
	for _, types := range []string{"", "&encrypt_type=aes", "&encrypt_type=junk&encrypt_type="} {
		f.do(t, "GET", f.public+"/wechat/safe?"+q.Encode()+types, nil).expect(t, 200, "e")
	}
}

func TestOddQueries(t *testing.T) {
	f := start(t, nil)
	good := own.query(now()).Encode()
	for _, q := range []string{
		"", "%zz", good + "&x=%", good + ";x=1", "a=b;" + good,
		good + "&encrypt_type=", good + "&encrypt_type=AES", good + "&encrypt_type=rawaes", good + "&encrypt_type=des",
		good + "&encrypt_type=raw&encrypt_type=raw", good + "&encrypt_type=raw&encrypt_type=aes", good + "&encrypt_type=aes&encrypt_type=raw",
		good + "&msg_signature=a&msg_signature=b", good + "&echostr=a&echostr=b",
	} {
		got := f.post(t, callback{"/", q, textXML(testText)})
		if got.Status != 400 || !strings.HasPrefix(got.Body, "Bad Request: ") {
			t.Errorf("%q: %d %q, want 400", strings.ReplaceAll(q, good, "…"), got.Status, got.Body)
		}
	}
	sealed := own.of(accounts.Safe, textXML(testText))
	for _, types := range []string{"&encrypt_type=aes", "&encrypt_type=raw", "&encrypt_type="} {
		got := f.post(t, callback{sealed.path, sealed.query + types, sealed.body})
		if got.Status != 400 || !strings.HasPrefix(got.Body, "Bad Request: encrypt_type: ") {
			t.Errorf("a sealed callback with %s besides: %d %q, want 400", types, got.Status, got.Body)
		}
	}
	if got := f.bot.heard(); len(got) != 0 {
		t.Errorf("the replier was asked about %v", got)
	}
}

// A stranger sees one answer for all that is forbidden; the reason goes to the metric.
func TestForbidden(t *testing.T) {
	f := start(t, nil)
	stranger := signer{"AnotherToken01", testKey, testAppID}
	elsewhere := signer{testToken, testKey, "wx0000000000000002"}
	keyless := signer{testToken, strings.Repeat("A", 43), testAppID}
	message := textXML(testText)
	encrypt := own.seal(message)
	sealed := func(q url.Values) callback { return callback{"/wechat/safe", q.Encode(), safeBody(encrypt)} }
	set := func(q url.Values, name, value string) url.Values { q.Set(name, value); return q }
	plain := func(signature string) callback {
		return callback{"/", set(own.query(now()), "signature", signature).Encode(), message}
	}
	right := own.sign(now(), testNonce)
	tests := []struct {
		name, reason string
		c            callback
	}{
		{"junk", "signature", plain("junk")},
		{"upper case", "signature", plain(strings.ToUpper(right))},
		{"a digit off", "signature", plain(right[:39] + string('0'+(right[39]^1)&1))},
		{"cut", "signature", plain(right[:39])},
		{"longer", "signature", plain(right + "0")},
		{"blank behind", "signature", plain(right + " ")},
		{"another token", "signature", stranger.plain("/", message)},
		{"no token", "signature", signer{"", testKey, testAppID}.plain("/", message)},
		{"another nonce", "signature", callback{"/", set(own.query(now()), "nonce", "other").Encode(), message}},
		{"another time", "signature", callback{"/", set(own.query(now()), "timestamp", "1").Encode(), message}},
		{"sealed, junk", "signature", sealed(set(own.sealedQuery(now(), encrypt), "msg_signature", "junk"))},
		{"sealed, upper case", "signature", sealed(set(own.sealedQuery(now(), encrypt), "msg_signature", strings.ToUpper(own.sign(now(), testNonce, encrypt))))},
		{"sealed, signature for msg_signature", "signature", sealed(set(own.sealedQuery(now(), encrypt), "msg_signature", right))},
		{"sealed, of another body", "signature", sealed(own.sealedQuery(now(), own.seal(textXML("other"))))},
		{"sealed, another token", "signature", stranger.sealed("/wechat/safe", message)},
		{"sealed, another AppID", "app_id", elsewhere.sealed("/wechat/safe", message)},
		{"sealed, the AppID and more", "app_id", signer{testToken, testKey, testAppID + "0"}.sealed("/wechat/safe", message)},
		{"sealed, no AppID", "app_id", signer{testToken, testKey, ""}.sealed("/wechat/safe", message)},
		{"sealed, another key", "envelope", keyless.sealed("/wechat/safe", message)},
		{"sealed for a plain account", "mode", own.sealed("/wechat/plain", message)},
		{"plain for a safe account", "mode", own.plain("/wechat/safe", message)},
		{"an old timestamp", "timestamp", callback{"/", own.query("1767225600").Encode(), message}},
		{"sealed, an old timestamp", "timestamp", sealed(own.sealedQuery("1767225600", encrypt))},
	}
	want := map[string]int{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { f.post(t, test.c).expect(t, 403, "Forbidden\n") })
		want[test.reason]++
	}
	if got := f.bot.heard(); len(got) != 0 {
		t.Errorf("the replier was asked about %v", got)
	}
	f.stop()
	if diff := cmp.Diff(want, f.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// Envelopes that are signed rightly and still wrong.
func TestForeignEnvelopesThatAreWrong(t *testing.T) {
	_, negative, _ := vectors(t)
	f := start(t, vectorAccounts(negative))
	for i, v := range negative {
		t.Run(v.Name, func(t *testing.T) {
			if got := v.signer().sign(v.Timestamp, v.Nonce, v.Encrypt); got != v.MsgSignature {
				t.Fatalf("the vector is not signed rightly: %s", got)
			}
			f.post(t, v.callback("/wechat/"+strconv.Itoa(i))).expect(t, 403, "Forbidden\n")
		})
	}
	f.stop()
	if diff := cmp.Diff(map[string]int{"app_id": 1, "envelope": len(negative) - 1}, f.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestTimestamps(t *testing.T) {
	checked := start(t, nil)
	unchecked := start(t, func(cfg *Config) { cfg.MaxSkew = 0 })
	at := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	for _, test := range []struct {
		timestamp string
		status    int
	}{
		{at(0), 200}, {at(-4 * time.Minute), 200}, {at(4 * time.Minute), 200},
		{at(-6 * time.Minute), 403}, {at(6 * time.Minute), 403},
		{"0", 403}, {"-1", 403}, {"-" + at(0), 403}, {"abc", 403}, {at(0) + ".5", 403}, {at(0) + " ", 403}, {"0x6955b900", 403}, {"1e9", 403},
		{fmt.Sprint(math.MaxInt64), 403}, {fmt.Sprint(math.MinInt64), 403}, {strings.Repeat("9", 100), 403},
		{fmt.Sprint(time.Now().UnixMilli()), 403},
	} {
		encrypt := own.seal(textXML(testText))
		verify := own.query(test.timestamp)
		verify.Set("echostr", "success")
		for kind, send := range map[string]func(*fixture) answer{
			"verify": func(f *fixture) answer { return f.do(t, "GET", f.public+"/?"+verify.Encode(), nil) },
			"plain": func(f *fixture) answer {
				return f.post(t, callback{"/", own.query(test.timestamp).Encode(), textXML(testText)})
			},
			"sealed": func(f *fixture) answer {
				return f.post(t, callback{"/wechat/safe", own.sealedQuery(test.timestamp, encrypt).Encode(), safeBody(encrypt)})
			},
		} {
			t.Run(kind+" "+test.timestamp, func(t *testing.T) {
				body := "success"
				if test.status == 403 {
					body = "Forbidden\n"
				}
				send(checked).expect(t, test.status, body)
				send(unchecked).expect(t, 200, "success")
			})
		}
	}
}

func TestMethods(t *testing.T) {
	f := start(t, nil)
	for _, method := range []string{"PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"} {
		for _, path := range []string{"/", "/wechat/safe"} {
			got := f.do(t, method, f.public+path+"?"+own.query(now()).Encode(), strings.NewReader(textXML(testText)))
			if got.Status != 405 || got.Header.Get("Allow") != "GET, POST" {
				t.Errorf("%s %s: %d, Allow %q", method, path, got.Status, got.Header.Get("Allow"))
			}
		}
	}
}

func TestBodySize(t *testing.T) {
	const limit = 1 << 20
	f := start(t, nil)
	for _, test := range []struct {
		size, status int
	}{{limit - 1, 200}, {limit, 200}, {limit + 1, 413}, {2 * limit, 413}} {
		frame := len(textXML(""))
		message := textXML(strings.Repeat("x", test.size-frame))
		for name, body := range map[string]io.Reader{
			"with a length": strings.NewReader(message),
			"chunked":       struct{ io.Reader }{strings.NewReader(message)},
		} {
			t.Run(fmt.Sprintf("%d %s", test.size, name), func(t *testing.T) {
				before := len(f.bot.heard())
				got := f.do(t, "POST", f.public+"/?"+own.query(now()).Encode(), body)
				if test.status == 413 {
					got.expect(t, 413, "Request Entity Too Large: a callback has at most 1048576 bytes\n")
					return
				}
				got.expect(t, 200, "success")
				heard := f.bot.heard()[before:]
				if len(heard) != 1 || len(heard[0].GetText().GetContent()) != test.size-frame {
					t.Errorf("the message did not arrive whole")
				}
			})
		}
	}
}

func TestNotXML(t *testing.T) {
	f := start(t, nil)
	bomb := `<!DOCTYPE x [<!ENTITY a "confide"><!ENTITY b "` + strings.Repeat("&a;", 100) + `">]><xml><Content>&b;</Content></xml>`
	bodies := map[string]string{
		"empty": "", "blank": " \n", "junk": "confide", "JSON": `{"Content":"confide"}`, "an array": "[]",
		"HTML": "<html><body>confide</body></html>", "cut": textXML(testText)[:200], "never closed": "<xml>", "zeros": strings.Repeat("\x00", 64),
		"DOCTYPE": "<!DOCTYPE xml>" + textXML(testText), "lower doctype": "<!doctype xml>" + textXML(testText), "bomb": bomb,
		"another root": "<xm>" + testText + "</xm>", "deep": "<xml>" + strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000) + "</xml>",
		"external": `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Content>&e;</Content></xml>`,
	}
	for name, body := range bodies {
		calls := map[string]callback{
			"plain":           own.plain("/", body),
			"in an envelope":  own.of(accounts.Safe, body),
			"as the envelope": {"/wechat/safe", own.sealedQuery(now(), body).Encode(), body},
		}
		for _, how := range slices.Sorted(maps.Keys(calls)) {
			t.Run(name+" "+how, func(t *testing.T) {
				got := f.post(t, calls[how])
				if got.Status != 400 || !strings.HasPrefix(got.Body, "Bad Request: ") || len(got.Body) > 150 || strings.Contains(got.Body, "confide") {
					t.Errorf("%d %q; want 400 that quotes nothing", got.Status, got.Body)
				}
			})
		}
	}
	if got := f.bot.heard(); len(got) != 0 {
		t.Errorf("the replier was asked about %v", got)
	}
}
