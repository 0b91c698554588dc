package replier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// Handler answers messages in this process; a nil reply says nothing. A rule forwards to it with "forward: {to:
// handler:NAME}". Handlers run at the same time, and must not change the message.
type Handler func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error)

// fallbackSpare is kept of the caller's time, so that a fallback can still answer.
const fallbackSpare = 100 * time.Millisecond

// maxForwards is how often a message may be handed on, so that repliers that forward to each other end.
const maxForwards = 4

// forwardsKey is the gRPC metadata that counts how often a message was handed on.
const forwardsKey = "wxgate-forwards"

// botClients asks the bots that rules forward to. It is safe for concurrent use.
type botClients struct {
	env      service.Env
	handlers map[string]Handler

	mu    sync.Mutex
	conns map[string]*grpc.ClientConn // by target
	left  map[*grpc.ClientConn]bool   // that no rule needs any more, and calls may still use
}

// askBot returns the bot's answer to a message. It takes limit at most, and returns only answers that WeChat would accept.
func (b *botClients) askBot(ctx context.Context, f *rules.Forward, msg *wechatv1.Message, limit time.Duration) (*wechatv1.Reply, error) {
	hops := handedOn(ctx)
	if hops >= maxForwards {
		return nil, fmt.Errorf("forward to %s: the message was handed on %d times; do repliers forward in a circle?", f.To, hops)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, forwardsKey, strconv.Itoa(hops+1))
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		limit = min(limit, left-min(fallbackSpare, left/4))
	}
	ctx, cancel := withRunningTime(ctx, limit)
	defer cancel()
	reply, err := b.callBot(ctx, f, msg)
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", f.To, err)
	}
	shown, _ := reply.WithoutSurplus(msg)
	if err := cmp.Or(shown.Validate(), checkReply(reply)); err != nil {
		return nil, fmt.Errorf("forward to %s: the answer: %w", f.To, err)
	}
	return reply, nil
}

// handedOn returns how often another replier handed the message on to this one.
func handedOn(ctx context.Context) int {
	values := metadata.ValueFromIncomingContext(ctx, forwardsKey)
	if len(values) == 0 {
		return 0
	}
	hops, _ := strconv.Atoi(values[0])
	return hops
}

// callBot calls the bot, and returns its answer as it is.
func (b *botClients) callBot(ctx context.Context, f *rules.Forward, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	if name, ok := f.Handler(); ok {
		return b.callHandler(ctx, b.handlers[name], msg)
	}
	conn, err := b.dialBot(f.To)
	if err != nil {
		return nil, err
	}
	resp, err := replierv1.NewReplierServiceClient(conn).Reply(ctx, &replierv1.ReplyRequest{Message: msg})
	switch {
	case err == nil:
		return resp.GetReply(), nil
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return nil, withoutText(context.DeadlineExceeded)
	}
	return nil, withoutText(err)
}

// callHandler calls a handler of this process, which may panic, or continue after its time is over.
func (b *botClients) callHandler(ctx context.Context, h Handler, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	type result struct {
		reply *wechatv1.Reply
		err   error
	}
	done := make(chan result, 1)
	own := proto.CloneOf(msg)
	go func() {
		var r result
		defer func() { done <- r }()
		r.reply, r.err = service.CatchPanic(func() (*wechatv1.Reply, error) {
			reply, err := h(ctx, own)
			if err != nil {
				err = withoutText(err)
			}
			return reply, err
		})
	}()
	select {
	case r := <-done:
		return r.reply, r.err
	case <-ctx.Done():
		return nil, withoutText(context.Cause(ctx))
	}
}

// withoutText returns a bot's error without its text, which may repeat the message.
func withoutText(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Code().String())
	}
	if code := status.FromContextError(err).Code(); code != codes.Unknown {
		return errors.New(code.String())
	}
	return fmt.Errorf("an error of type %T", err)
}

// dialBot returns the connection to a gRPC target. There is one for each target.
func (b *botClients) dialBot(target string) (*grpc.ClientConn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if conn := b.conns[target]; conn != nil {
		return conn, nil
	}
	conn, err := service.Dial(b.env, neighbourName(target), target)
	if err != nil {
		return nil, err
	}
	if b.conns == nil {
		b.conns = map[string]*grpc.ClientConn{}
	}
	b.conns[target] = conn
	return conn, nil
}
