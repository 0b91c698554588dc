package gateway

import (
	"strings"
	"testing"
	"wxgate/internal/accounts"
)

// BenchmarkCallback is a text message and its reply over real connections: HTTP to the gateway, gRPC to a replier in
// the same process. The client's and the replier's work is in the numbers.
func BenchmarkCallback(b *testing.B) {
	for _, mode := range []accounts.Mode{accounts.Plain, accounts.Safe} {
		b.Run(string(mode), func(b *testing.B) {
			f := start(b, func(cfg *Config) { cfg.MaxSkew = 0 })
			f.bot.will(echo)
			c := own.of(mode, textXML(testText))
			f.post(b, c) // connects
			b.ReportAllocs()
			for b.Loop() {
				if got := f.post(b, c); got.Status != 200 || !strings.HasPrefix(got.Body, "<xml>") {
					b.Fatal(got)
				}
			}
		})
	}
}
