package fakewechat

import (
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/wechat"
)

// arrival is a callback that reached the gateway.
type arrival struct {
	after time.Duration // since the gateway began
	query url.Values
	body  string
}

// silentGateway is a gateway without a network. It answers success after a while.
type silentGateway struct {
	takes time.Duration
	fails int // how many requests get no answer

	mu       sync.Mutex
	began    time.Time
	arrivals []arrival
}

func (g *silentGateway) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.arrivals = append(g.arrivals, arrival{time.Since(g.began), r.URL.Query(), string(body)})
	fails := len(g.arrivals) <= g.fails
	g.mu.Unlock()
	if fails {
		return nil, errors.New("connection refused")
	}
	if !sleepOrDone(r.Context(), g.takes) {
		return nil, r.Context().Err()
	}
	const answer = wechat.Success
	return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(answer)), Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// platformSender delivers callbacks with the faults of a Platform.
type platformSender struct {
	*sender.Sender
	platform *Platform
}

func (s *platformSender) deliver(ctx context.Context, callback []byte, tell func(Attempt)) (*Delivery, error) {
	return s.platform.deliverAttempts(ctx, s.Sender, callback, tell)
}

// sender returns a Sender to the gateway, with a Platform that has faults.
func (g *silentGateway) sender(f Faults) *platformSender {
	g.began = time.Now()
	return &platformSender{&sender.Sender{URL: "http://gateway.test/", Account: testAccount(sender.Plain), Client: &http.Client{Transport: g}},
		New(Config{Account: testAccount(sender.Plain), Faults: f})}
}

// deliver sends a text to the gateway in no time.
func (g *silentGateway) deliver(t *testing.T, f Faults) (d *Delivery) {
	t.Helper()
	callback := compose(t, "text", "hello")
	synctest.Test(t, func(t *testing.T) {
		var told []string
		var err error
		if d, err = g.sender(f).deliver(t.Context(), callback, func(a Attempt) { told = append(told, fmt.Sprint(a.Index, a.Done)) }); err != nil {
			t.Fatal(err)
		}
		for i, a := range d.Attempts {
			begun, done := slices.Index(told, fmt.Sprint(i, false)), slices.Index(told, fmt.Sprint(i, true))
			if a.Index != i || !a.Done || begun < 0 || done < begun || len(told) != 2*len(d.Attempts) {
				t.Errorf("told of attempt %d in %q", i, told)
			}
			if u, err := url.Parse(a.URL); err != nil || u.Query().Get("signature") == "" || !strings.Contains(string(a.Body), "</xml>") {
				t.Errorf("attempt %d posts %q to %q", i, a.Body, a.URL)
			}
		}
	})
	return d
}

// brief is what tests look at of an attempt.
type brief struct {
	Number   int
	Copy     bool
	Took     time.Duration
	Answered bool
	Faults   string
}

func briefs(d *Delivery) []brief {
	var all []brief
	for _, a := range d.Attempts {
		all = append(all, brief{a.Number, a.Copy, a.Took, a.Result != nil && a.Err == nil, strings.Join(a.Faults, " ")})
	}
	return all
}

func TestDeliver(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	none := []string{"no answer in three attempts"}
	for _, test := range []struct {
		name    string
		gateway *silentGateway
		faults  Faults
		want    []brief
		refused []string
		arrive  []time.Duration
	}{
		{name: "no fault", want: []brief{{1, false, 0, true, ""}}, arrive: []time.Duration{0}},
		{name: "no answer at first", gateway: &silentGateway{fails: 2},
			want: []brief{{1, false, 0, false, ""}, {2, false, 0, false, ""}, {3, false, 0, true, ""}}, arrive: []time.Duration{0, 0, 0}},
		{name: "slow", gateway: &silentGateway{takes: 6 * s}, refused: none,
			want:   []brief{{1, false, 5 * s, false, ""}, {2, false, 5 * s, false, ""}, {3, false, 5 * s, false, ""}},
			arrive: []time.Duration{0, 5 * s, 10 * s}},
		{name: "lose", faults: Faults{Lose: 1}, refused: none,
			want: []brief{{1, false, 5 * s, false, "lose"}, {2, false, 5 * s, false, "lose"}, {3, false, 5 * s, false, "lose"}}},
		{name: "lose_answer", faults: Faults{LoseAnswer: 1}, refused: none,
			want:   []brief{{1, false, 5 * s, false, "lose_answer"}, {2, false, 5 * s, false, "lose_answer"}, {3, false, 5 * s, false, "lose_answer"}},
			arrive: []time.Duration{0, 5 * s, 10 * s}},
		{name: "lose_answer of a slow gateway", gateway: &silentGateway{takes: s, fails: 2}, faults: Faults{LoseAnswer: 1}, refused: none,
			want:   []brief{{1, false, 0, false, "lose_answer"}, {2, false, 0, false, "lose_answer"}, {3, false, 5 * s, false, "lose_answer"}},
			arrive: []time.Duration{0, 0, 0}},
		{name: "delay", faults: Faults{Delay: 2 * s}, want: []brief{{1, false, 2 * s, true, "delay"}}, arrive: []time.Duration{2 * s}},
		{name: "the 5 s run in a delay", gateway: &silentGateway{takes: 4 * s}, faults: Faults{Delay: 2 * s}, refused: none,
			want:   []brief{{1, false, 5 * s, false, "delay"}, {2, false, 5 * s, false, "delay"}, {3, false, 5 * s, false, "delay"}},
			arrive: []time.Duration{2 * s, 7 * s, 12 * s}},
		{name: "a delay above 5 s", faults: Faults{Delay: 6 * s}, refused: none,
			want: []brief{{1, false, 5 * s, false, "delay"}, {2, false, 5 * s, false, "delay"}, {3, false, 5 * s, false, "delay"}}},
		{name: "cut", gateway: &silentGateway{takes: s}, faults: Faults{Cut: 1}, refused: none,
			want:   []brief{{1, false, s, false, "cut"}, {2, false, s, false, "cut"}, {3, false, s, false, "cut"}},
			arrive: []time.Duration{0, s, 2 * s}},
		{name: "retry_early", gateway: &silentGateway{takes: 4 * s}, faults: Faults{RetryEarly: 1},
			want:   []brief{{1, false, s, false, "retry_early"}, {2, false, s, false, "retry_early"}, {3, false, 4 * s, true, ""}},
			arrive: []time.Duration{0, s, 2 * s}},
		{name: "retry_after", gateway: &silentGateway{takes: 4 * s}, faults: Faults{RetryEarly: 1, RetryAfter: 300 * ms},
			want:   []brief{{1, false, 300 * ms, false, "retry_early"}, {2, false, 300 * ms, false, "retry_early"}, {3, false, 4 * s, true, ""}},
			arrive: []time.Duration{0, 300 * ms, 600 * ms}},
		{name: "twice", gateway: &silentGateway{takes: s}, faults: Faults{Twice: 1},
			want: []brief{{1, false, s, true, "twice"}, {1, true, s, true, "twice"}}, arrive: []time.Duration{0, 0}},
		{name: "the copy alone is answered", gateway: &silentGateway{fails: 1}, faults: Faults{Twice: 1}, arrive: []time.Duration{0, 0}},
		{name: "duplicate", gateway: &silentGateway{takes: s}, faults: Faults{Duplicate: 1},
			want: []brief{{1, false, s, true, ""}, {1, true, s, true, "duplicate"}}, arrive: []time.Duration{0, s}},
		{name: "out_of_order, and no next one", faults: Faults{OutOfOrder: 1},
			want: []brief{{1, false, 0, true, "out_of_order"}}, arrive: []time.Duration{5 * s}},
		{name: "several", faults: Faults{Clock: time.Hour, WrongSignature: 1, ControlCharacters: 1, BrokenCDATA: 1, UnknownType: 1}, arrive: []time.Duration{0},
			want: []brief{{1, false, 0, true, "unknown_type control_characters broken_cdata wrong_signature clock"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := stdcmp.Or(test.gateway, &silentGateway{})
			d := g.deliver(t, test.faults)
			if test.want != nil {
				if diff := cmp.Diff(test.want, briefs(d)); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(test.refused, d.Refused); diff != "" || (d.Answer == nil) != (test.refused != nil) {
				t.Errorf("answer %v; refused (-want +got):\n%s", d.Answer, diff)
			}
			var arrive []time.Duration
			for _, a := range g.arrivals {
				arrive = append(arrive, a.after)
			}
			if diff := cmp.Diff(test.arrive, arrive); diff != "" {
				t.Errorf("arrivals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeliverErrors(t *testing.T) {
	odd := testAccount("loud")
	for _, test := range []struct {
		url      string
		account  sender.Account
		callback string
		want     string
	}{
		{"http://gateway.test/", testAccount(sender.Plain), "{}", "the callback is not XML"},
		{"gateway.test", testAccount(sender.Plain), string(compose(t, "text", "x")), "the gateway's URL must look like"},
		{"http://gateway.test/", odd, string(compose(t, "text", "x")), "unknown mode"},
	} {
		s := &platformSender{&sender.Sender{URL: test.url, Account: test.account}, New(Config{})}
		d, err := s.deliver(t.Context(), []byte(test.callback), nil)
		if d != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, %v; want %q", d, err, test.want)
		}
	}
}

func TestDeliverOverHTTP(t *testing.T) {
	gw, got := gateway(t, http.StatusOK, fixed(as("text", "<Content>answer</Content>")))
	s := &platformSender{&sender.Sender{URL: gw, Account: testAccount(sender.Plain)}, New(Config{Account: testAccount(sender.Plain)})}
	d, err := s.deliver(t.Context(), compose(t, "text", "x"), nil)
	if err != nil || len(d.Attempts) != 1 || len(d.Refused) > 0 || !slices.Contains(d.Answer.Fields, sender.Field{Name: "Content", Value: "answer"}) {
		t.Errorf("got %+v, %v", d, err)
	}
	s.platform.SetFaults(Faults{Cut: 1})
	d, err = s.deliver(t.Context(), compose(t, "text", "x"), nil)
	if err != nil || len(d.Attempts) != 3 || d.Answer != nil || !errors.Is(d.Attempts[2].Err, errCut) {
		t.Errorf("cut: got %+v, %v", d, err)
	}
	if got.method != http.MethodPost {
		t.Error("a cut callback never came")
	}
}

// TestSignatures looks at what the gateway gets as signature, timestamp and nonce.
func TestSignatures(t *testing.T) {
	nonces := func(g *silentGateway) int {
		distinct := map[string]bool{}
		for _, a := range g.arrivals {
			distinct[a.query.Get("nonce")+" "+a.query.Get("signature")] = true
		}
		return len(distinct)
	}
	valid := func(a arrival) bool {
		return wechat.VerifySignature(a.query.Get("signature"), testAccount(sender.Plain).Token, a.query.Get("timestamp"), a.query.Get("nonce"))
	}
	for _, test := range []struct {
		name     string
		faults   Faults
		distinct int
		valid    bool
		clock    int64
	}{
		{"none", Faults{}, 3, true, 0},
		{"same_signature", Faults{SameSignature: 1}, 1, true, 0},
		{"wrong_signature", Faults{WrongSignature: 1}, 3, false, 0},
		{"clock ahead", Faults{Clock: 10 * time.Minute}, 3, true, 600},
		{"clock behind", Faults{Clock: -10 * time.Minute}, 3, true, -600},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &silentGateway{fails: 2}
			d := g.deliver(t, test.faults)
			if len(g.arrivals) != 3 || nonces(g) != test.distinct {
				t.Errorf("%d arrivals, %d distinct signatures, want %d", len(g.arrivals), nonces(g), test.distinct)
			}
			timestamp := d.Attempts[0].At.Add(time.Duration(test.clock) * time.Second)
			for _, a := range g.arrivals {
				if valid(a) != test.valid || a.query.Get("timestamp") != wantUnix(timestamp) {
					t.Errorf("valid %t, timestamp %s, want %s", valid(a), a.query.Get("timestamp"), wantUnix(timestamp))
				}
			}
		})
	}
}

func TestWrongSignatureIsSealedToo(t *testing.T) {
	gw, got := gateway(t, http.StatusOK, fixed("success"))
	acc := testAccount(sender.Safe)
	s := &platformSender{&sender.Sender{URL: gw, Account: acc}, New(Config{Account: acc, Faults: Faults{WrongSignature: 1}})}
	if _, err := s.deliver(t.Context(), compose(t, "text", "x"), nil); err != nil {
		t.Fatal(err)
	}
	encrypt := between(string(got.body), "<Encrypt><![CDATA[", "]]>")
	cipher, err := wechat.NewCipher(acc.AESKey, acc.AppID)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := cipher.Open(encrypt)
	q := got.query()
	if err != nil || len(opened) == 0 || wechat.VerifySignature(q.Get("msg_signature"), acc.Token, q.Get("timestamp"), q.Get("nonce"), encrypt) {
		t.Error("the envelope's signature is right")
	}
}

// TestDamage looks at the callbacks that a gateway gets.
func TestDamage(t *testing.T) {
	body := func(t *testing.T, f Faults) string {
		t.Helper()
		g := &silentGateway{}
		g.deliver(t, f)
		return g.arrivals[0].body
	}
	t.Run("control_characters", func(t *testing.T) {
		got := between(body(t, Faults{ControlCharacters: 1}), "<Content><![CDATA[", "]]></Content>")
		if text := strings.TrimLeft(got, "\x00\x01\x08\x0B\x0C\x1B\x1F\x7F"); text != "hello" || len(got) != 6 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("broken_cdata", func(t *testing.T) {
		seen := map[string]bool{}
		for seed := range uint64(20) {
			got := between(body(t, Faults{BrokenCDATA: 1, Seed: seed + 1}), "<Content>", "</Content>")
			seen[got] = true
		}
		want := map[string]bool{"<![CDATA[]]>hello]]>": true, "<![CDATA[hello": true}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("unknown_type", func(t *testing.T) {
		if got := between(body(t, Faults{UnknownType: 1}), "<MsgType><![CDATA[", "]]>"); got != "unknown_type" {
			t.Errorf("got %q", got)
		}
		event, _ := faultDice{}.changeType(compose(t, "event", "CLICK", "k"))
		if got := between(string(event), "<Event><![CDATA[", "]]>"); got != "unknown_event" || !strings.Contains(string(event), "<![CDATA[event]]>") {
			t.Errorf("got %s", event)
		}
	})
	t.Run("nothing to damage", func(t *testing.T) {
		bare := []byte("<xml><Content>x</Content></xml>")
		for _, how := range []func([]byte) ([]byte, bool){faultDice{}.changeType, faultDice{}.addControl, faultDice{}.breakCDATA} {
			if got, done := how(bare); done || string(got) != string(bare) {
				t.Errorf("got %s", got)
			}
		}
	})
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// wantUnix is a timestamp parameter.
func wantUnix(at time.Time) string {
	return strconv.FormatInt(at.Unix(), 10)
}

// TestOutOfOrder: a user's message that is held back comes after the next one; another user's is no next one.
func TestOutOfOrder(t *testing.T) {
	message := func(from, text string) []byte {
		b, err := sender.Compose(originalID, from, at, "text", text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	synctest.Test(t, func(t *testing.T) {
		g := &silentGateway{takes: 100 * time.Millisecond}
		s := g.sender(Faults{OutOfOrder: 1})
		var sending sync.WaitGroup
		send := func(from, text string, held bool) {
			sending.Go(func() {
				d, err := s.deliver(t.Context(), message(from, text), nil)
				if err != nil || slices.Contains(d.Attempts[0].Faults, "out_of_order") != held {
					t.Errorf("%s: %+v, %v", text, d, err)
				}
			})
			time.Sleep(time.Second)
		}
		send("oA", "first", true)
		send("oB", "another's", true)
		send("oA", "second", false)
		sending.Wait()
		var got []string
		for _, a := range g.arrivals {
			got = append(got, between(a.body, "<Content><![CDATA[", "]]>")+" "+a.after.String())
		}
		if diff := cmp.Diff([]string{"second 2s", "first 2.1s", "another's 6s"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := len(s.platform.faultState.held); n != 0 {
			t.Errorf("%d callbacks are still held", n)
		}
	})
}

// TestSeedRepeats: one seed gives one run, another seed another.
func TestSeedRepeats(t *testing.T) {
	f := Faults{Lose: 0.3, LoseAnswer: 0.2, Cut: 0.3, RetryEarly: 0.3, Twice: 0.3, SameSignature: 0.5, WrongSignature: 0.3,
		Duplicate: 0.3, OutOfOrder: 0.3, ControlCharacters: 0.3, BrokenCDATA: 0.3, UnknownType: 0.3}
	run := func(t *testing.T, s *platformSender) (all [][]string) {
		for range 30 {
			d, err := s.deliver(t.Context(), compose(t, "text", "hello"), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range d.Attempts {
				all = append(all, a.Faults)
			}
		}
		return all
	}
	synctest.Test(t, func(t *testing.T) {
		f.Seed = 7
		s := (&silentGateway{}).sender(f)
		first := run(t, s)
		if cmp.Equal(first, run(t, s)) {
			t.Error("the run goes on with the same")
		}
		s.platform.Reset()
		if diff := cmp.Diff(first, run(t, s)); diff != "" {
			t.Errorf("after Reset (-first +second):\n%s", diff)
		}
		if diff := cmp.Diff(first, run(t, (&silentGateway{}).sender(f))); diff != "" {
			t.Errorf("another Platform (-first +second):\n%s", diff)
		}
		f.Seed = 8
		if cmp.Equal(first, run(t, (&silentGateway{}).sender(f))) {
			t.Error("two seeds are alike")
		}
		struck := map[string]bool{}
		for _, faults := range first {
			for _, name := range faults {
				struck[name] = true
			}
		}
		if len(struck) != 12 {
			t.Errorf("only %v struck", struck)
		}

		f.Seed = 0
		s = (&silentGateway{}).sender(f)
		if f.Seed = s.platform.Faults().Seed; f.Seed == 0 {
			t.Fatal("no seed was made up")
		}
		if diff := cmp.Diff(run(t, s), run(t, (&silentGateway{}).sender(f))); diff != "" {
			t.Errorf("a seed that was made up (-first +second):\n%s", diff)
		}
	})
}

func TestRates(t *testing.T) {
	l := faultDice{faults: Faults{Seed: 1, APIErrors: map[int]float64{-1: 0.25, 45009: 0.5}}}
	struck, errcodes := 0, map[int]int{}
	for l.number = range uint64(10_000) {
		if l.faultStrikes("lose", 0.1, 1) {
			struck++
		}
		errcodes[l.drawErrcode()]++
	}
	near := func(got, want int) bool { return got > want-200 && got < want+200 }
	if !near(struck, 1000) || !near(errcodes[-1], 2500) || !near(errcodes[45009], 5000) || !near(errcodes[0], 2500) {
		t.Errorf("%d struck, errcodes %v", struck, errcodes)
	}
}
