package gateway

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/configfile"
)

// Token and key change one by one: any two of them belong together, and the reply has those of the callback.
func TestPreviousCredentials(t *testing.T) {
	before := signer{"GatewayToken00", strings.Repeat("oldKey0", 6) + "0", testAppID}
	unloggable := []string{before.token, before.key}
	path := accountsFile(t, "", own.entry("a", "previous_token: "+before.token, "previous_aes_key: "+before.key), club.entry("b"))
	f := start(t, withFile(path))
	f.bot.will(echo)
	for _, token := range []string{own.token, before.token} {
		for _, key := range []string{own.key, before.key} {
			s := signer{token, key, testAppID}
			got := f.post(t, s.sealed("/wechat/a", textXML("hello")))
			if got.Status != 200 {
				t.Errorf("status %d with %+v", got.Status, s)
				continue
			}
			encrypt := field(got.Body, "Encrypt")
			if xml := s.open(t, encrypt); !strings.Contains(xml, "hello") {
				t.Errorf("the reply is %s", xml)
			}
			if want := s.sign(field(got.Body, "TimeStamp"), field(got.Body, "Nonce"), encrypt); field(got.Body, "MsgSignature") != want {
				t.Errorf("the reply to a callback with token %s is signed with another", token)
			}
		}
		s := signer{token, own.key, testAppID}
		q := s.query(now())
		q.Set("echostr", "e")
		f.do(t, "GET", f.public+"/wechat/a?"+q.Encode(), nil).expect(t, 200, "e")
		f.post(t, s.sealed("/wechat/b", textXML("hello"))).expect(t, 403, "Forbidden\n")
	}
	// A previous key for another AppID is as wrong as the present one.
	f.post(t, signer{own.token, before.key, "wx9"}.sealed("/wechat/a", textXML("hello"))).expect(t, 403, "Forbidden\n")
	want := map[string]int{"replied": 4, "verified": 2, "signature": 2, "app_id": 1}
	if diff := cmp.Diff(want, f.outcomes(t)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	f.stop()
	for _, secret := range unloggable {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// field returns an element's text, without CDATA.
func field(xml, name string) string {
	_, behind, _ := strings.Cut(xml, "<"+name+">")
	text, _, _ := strings.Cut(behind, "</"+name+">")
	return strings.TrimSuffix(strings.TrimPrefix(text, "<![CDATA["), "]]>")
}

// The grace time begins with the load that saw a previous token or key first, and for each of them apart.
func TestGrace(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	older := signer{"GatewayToken00", strings.Repeat("oldKey0", 6) + "0", testAppID}
	oldest := signer{"GatewayToken99", strings.Repeat("oldKey9", 6) + "0", testAppID}
	path := filepath.Join(t.TempDir(), "accounts.yaml")
	var current *accountSet
	load := func(after time.Duration, entries ...string) {
		t.Helper()
		accountsFile(t, path, entries...)
		l := &configfile.Load{}
		next := loadAccounts(l, path, current, begin.Add(after))
		if l.Err() != nil {
			t.Fatal(l.Err())
		}
		current = next
	}
	// expect checks which tokens and keys open a callback.
	expect := func(after time.Duration, tokens, keys []signer) {
		t.Helper()
		at := begin.Add(after)
		for _, token := range []signer{own, older, oldest} {
			for _, key := range []signer{own, older, oldest} {
				s := signer{token.token, key.key, testAppID}
				encrypt := s.seal(textXML("hello"))
				_, err := current.byName["a"].openBody(queryOf(t, s.sealedQuery(now(), encrypt)), []byte(safeBody(encrypt)), at)
				if want := slices.Contains(tokens, token) && slices.Contains(keys, key); (err == nil) != want {
					t.Errorf("after %s, token %s, key %s: %v", after, s.token, s.key, err)
				}
			}
			err := current.byName["a"].checkURL(queryOf(t, token.query(now())), at)
			if want := slices.Contains(tokens, token); (err == nil) != want {
				t.Errorf("after %s, the URL, token %s: %v", after, token.token, err)
			}
		}
	}
	token, key := "previous_token: "+older.token, "previous_aes_key: "+older.key
	now, both := []signer{own}, []signer{own, older}

	load(0, own.entry("a", token, key))
	expect(0, both, both)
	expect(time.Hour-time.Nanosecond, both, both)
	expect(time.Hour, now, now)

	// A load that changes something else doesn't prolong it; one that brings another key begins for the key alone.
	load(30*time.Minute, club.entry("b"), own.entry("a", token, key, "original_id: gh_1"))
	expect(59*time.Minute, both, both)
	expect(time.Hour, now, now)
	load(40*time.Minute, own.entry("a", token, "previous_aes_key: "+oldest.key))
	expect(59*time.Minute, both, []signer{own, oldest})
	expect(time.Hour, now, []signer{own, oldest})
	expect(100*time.Minute, now, now)

	// Without it, it is refused at once.
	load(50*time.Minute, own.entry("a"))
	expect(50*time.Minute, now, now)
	load(51*time.Minute, own.entry("a", token))
	expect(110*time.Minute, both, now)
	load(70*time.Minute, own.entry("a", "previous_token: "+oldest.token))
	expect(129*time.Minute, []signer{own, oldest}, now)
	expect(130*time.Minute, now, now)

	// Another account's grace is its own.
	load(2*time.Hour, own.entry("b", token), club.entry("a"))
	load(3*time.Hour, club.entry("b"), own.entry("a", token))
	expect(4*time.Hour-time.Second, both, now)
}

// queryOf returns parameters as the gateway reads them.
func queryOf(t testing.TB, values url.Values) callbackQuery {
	t.Helper()
	q, err := parseQuery("POST", values.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return q
}
