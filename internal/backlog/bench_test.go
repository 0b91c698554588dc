package backlog

import (
	"context"
	"fmt"
	"testing"

	"wxgate/internal/store"
)

// BenchmarkTakeover takes over so many messages whose replicas died: what one costs must not grow with their number.
func BenchmarkTakeover(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				log, stop := serve(b, store.Config{}, 1<<30)
				storeMany(b, log, n)
				b.StartTimer()
				for range n {
					if _, err := log.Next(context.Background(), nil); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				stop()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
		})
	}
}
