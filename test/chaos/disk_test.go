package chaos

import (
	"context"
	"errors"
	"time"

	"wxgate/test/testproc"
)

// fillDisk lets a node of the NATS cluster write nothing for a while, as if its disk were full. Then there is space, and its
// operator starts it again: a NATS server that could not write does not write by itself again.
func (c *cluster) fillDisk(ctx context.Context, target int, lasts time.Duration) error {
	for _, d := range c.nats { // one of three may be away: the one before must have caught up
		if err := d.wait(ctx); err != nil {
			return err
		}
	}
	node := c.nats[target]
	if err := testproc.LimitFileSize(node.pid(), 1); errors.Is(err, errors.ErrUnsupported) {
		return nil
	} else if err != nil {
		return err
	}
	if err := sleep(ctx, lasts); err != nil {
		return err
	}
	return killed(ctx, node, 0)
}
