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

// spare is kept of the caller's time, so that a fallback can still be given.
const spare = 100 * time.Millisecond

// maxForwards is how often a message may be handed on, so that repliers that forward to each other end.
const maxForwards = 4

// forwardsKey counts in gRPC metadata how often a message was handed on.
const forwardsKey = "wxgate-forwards"

// bots are those that rules forward to. It is safe for concurrent use.
type bots struct {
	env      service.Env
	handlers map[string]Handler

	mu    sync.Mutex
	conns map[string]*grpc.ClientConn // by target
	left  map[*grpc.ClientConn]bool   // those that no rule needs any more, while calls may still use them
}

// ask returns the bot's answer to a message, within a limit; it is one that WeChat would take.
func (b *bots) ask(ctx context.Context, f *rules.Forward, msg *wechatv1.Message, limit time.Duration) (*wechatv1.Reply, error) {
	hops := handedOn(ctx)
	if hops >= maxForwards {
		return nil, fmt.Errorf("forward to %s: the message was handed on %d times; do repliers forward in a circle?", f.To, hops)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, forwardsKey, strconv.Itoa(hops+1))
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		limit = min(limit, left-min(spare, left/4))
	}
	ctx, cancel := withRunningTime(ctx, limit)
	defer cancel()
	reply, err := b.call(ctx, f, msg)
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", f.To, err)
	}
	shown, _ := reply.Shown(msg)
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

func (b *bots) call(ctx context.Context, f *rules.Forward, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	if name, ok := f.Handler(); ok {
		return b.handle(ctx, b.handlers[name], msg)
	}
	conn, err := b.dial(f.To)
	if err != nil {
		return nil, err
	}
	resp, err := replierv1.NewReplierServiceClient(conn).Reply(ctx, &replierv1.ReplyRequest{Message: msg})
	switch {
	case err == nil:
		return resp.GetReply(), nil
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return nil, wordless(context.DeadlineExceeded)
	}
	return nil, wordless(err)
}

// handle calls a handler, which may panic, or go on when its time is over.
func (b *bots) handle(ctx context.Context, h Handler, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	type result struct {
		reply *wechatv1.Reply
		err   error
	}
	done := make(chan result, 1)
	own := proto.CloneOf(msg)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r = result{nil, service.PanicError(p)}
			}
			done <- r
		}()
		if r.reply, r.err = h(ctx, own); r.err != nil {
			r.err = wordless(r.err)
		}
	}()
	select {
	case r := <-done:
		return r.reply, r.err
	case <-ctx.Done():
		return nil, wordless(context.Cause(ctx))
	}
}

// wordless is a bot's error without its words, which may repeat the message.
func wordless(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Code().String())
	}
	if code := status.FromContextError(err).Code(); code != codes.Unknown {
		return errors.New(code.String())
	}
	return fmt.Errorf("an error of type %T", err)
}

// dial returns the connection to a gRPC target, which is made once.
func (b *bots) dial(target string) (*grpc.ClientConn, error) {
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
