package cli

import (
	"context"
	"time"

	"wxgate/internal/service"
)

type healthCmd struct {
	Addr string `arg:"" help:"Internal address, such as 127.0.0.1:8001, or gRPC address, such as 127.0.0.1:9001, of a process."`
	service.TLSFlags
}

// Run asks the process for its health.
func (c *healthCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return service.CheckHealth(ctx, c.Addr, c.TLSFlags)
}
