package loadgen

import (
	"net/http"
	"testing"
	"time"

	"wxgate/fakewechat/sender"
)

// BenchmarkMessage is what a message costs here: written, signed, sealed, given to a network that answers at once, and
// judged. "loopback" has a server that echoes,
// sealed too, and its work in the numbers.
func BenchmarkMessage(b *testing.B) {
	bench := func(name string, cfg Config) {
		b.Run(name, func(b *testing.B) {
			g, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			g.began = time.Now()
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				m := g.writer.nextMessage(n, g.began)
				r, err := g.sender.Send(b.Context(), m.callback)
				g.meter.recordOutcome(0, time.Since(g.began), m.judgeAnswer(r, err, 0))
			}
			b.StopTimer()
			if r := g.makeReport(time.Second, false); r.Failed > 0 {
				b.Fatalf("%+v", r.Failures)
			}
		})
	}
	cfg := config("http://gateway.test/")
	cfg.transport = roundTrip(func(*http.Request) (*http.Response, error) { return success(), nil })
	bench("plain", cfg)
	cfg.Account = testAccount(sender.Safe)
	bench("safe", cfg)

	echo := config(gateway(b, testAccount(sender.Safe), func(c got) string { return c.Content }).URL)
	echo.Account, echo.Echo = testAccount(sender.Safe), true
	bench("loopback", echo)
}
