package replier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/testaddr"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

// What no log and no metric may hold: of the user and of the bot.
const usersWords, botsWords = "my password is 1234", "the bot repeats: my password"

// bot is a ReplierService.
type bot struct {
	replierv1.UnimplementedReplierServiceServer
	answer Handler
}

func (b bot) Reply(ctx context.Context, req *replierv1.ReplyRequest) (*replierv1.ReplyResponse, error) {
	reply, err := b.answer(ctx, req.GetMessage())
	return &replierv1.ReplyResponse{Reply: reply}, err
}

// startBot serves a bot until the test ends, and returns its address.
func startBot(t *testing.T, answer Handler, options ...grpc.ServerOption) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	replierv1.RegisterReplierServiceServer(s, bot{answer: answer})
	done := make(chan error, 1)
	go func() { done <- s.Serve(lis) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Errorf("bot: %v", err)
		}
	})
	return lis.Addr().String()
}

// garbage is a codec whose every message is no protobuf.
type garbage struct{ encoding.CodecV2 }

func (garbage) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(botsWords)}, nil
}

// waits is a bot that gives up when nobody waits any more.
func waits(ctx context.Context, _ *wechatv1.Message) (*wechatv1.Reply, error) {
	<-ctx.Done()
	return says(botsWords), ctx.Err() // an answer just in time would be one
}

func replies(reply *wechatv1.Reply, err error) Handler {
	return func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { return reply, err }
}

var noArticle = &wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{}}}

var twoArticles = func() *wechatv1.Reply {
	one := &wechatv1.Article{Title: botsWords, Description: "a", PicUrl: "https://example.com/1.png", Url: "https://example.com/1"}
	return &wechatv1.Reply{Content: &wechatv1.Reply_News{News: &wechatv1.NewsReply{Articles: []*wechatv1.Article{one, one}}}}
}()

var noMedia = &wechatv1.Reply{Content: &wechatv1.Reply_Video{Video: &wechatv1.VideoReply{Title: botsWords}}}

// TestForward: what a bot answers is said, over gRPC and in the process. The bot gets the whole message.
func TestForward(t *testing.T) {
	for _, tt := range []struct {
		name    string
		msg     *wechatv1.Message
		reply   *wechatv1.Reply
		outcome string
	}{
		{"reply", text("hi"), says("hello"), "reply"},
		{"nothing", text("hi"), nil, "silent"},
		{"an empty text", text("hi"), says(""), "reply"},
		{"two articles for an event", event("CLICK", "a"), twoArticles, "reply"},
		{"customer service", image(), transfer("agent"), "reply"},
	} {
		for _, where := range []string{"gRPC", "handler"} {
			t.Run(tt.name+", "+where, func(t *testing.T) {
				got := make(chan *wechatv1.Message, 1)
				answer := func(_ context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
					got <- msg
					return tt.reply, nil
				}
				target := "handler:bot"
				if where == "gRPC" {
					target = startBot(t, answer)
				}
				rules := fmt.Sprintf("rules:\n  - {name: bot, forward: %q}\n  - {name: next, reply: {text: next}}\n", target)
				r := startConfig(t, Config{Rules: write(t, t.TempDir(), "rules.yaml", rules), Handlers: map[string]Handler{"bot": answer}})
				if diff := cmp.Diff(tt.reply, r.ask(t, tt.msg), protocmp.Transform()); diff != "" {
					t.Errorf("reply (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.msg, <-got, protocmp.Transform()); diff != "" {
					t.Errorf("the bot's message (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(map[string]float64{tt.outcome: 1}, r.outcomes(t)); diff != "" {
					t.Errorf("outcomes (-want +got):\n%s", diff)
				}
				if line := r.log.line(t); line["rule"] != "bot" || line["level"] != "INFO" {
					t.Errorf("log line %v", line)
				}
			})
		}
	}
}

// TestForwardFails: whatever a bot does wrong, the fallback is said, or nothing, or the next rule answers. Log and
// metrics tell what was wrong, without the words of the user and of the bot.
func TestForwardFails(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	handlers := map[string]Handler{
		"fails":  replies(says(botsWords), errors.New(botsWords)),
		"status": replies(nil, fmt.Errorf("%s: %w", botsWords, status.Error(codes.NotFound, botsWords))),
		"gives up": func(ctx context.Context, _ *wechatv1.Message) (*wechatv1.Reply, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("%s: %w", botsWords, ctx.Err())
		},
		"outlives": func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) {
			<-release
			return says(botsWords), nil
		},
		"panics": func(_ context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
			panic(msg.GetText().GetContent())
		},
		"crashes": func(_ context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
			return says(msg.GetExtra()[0].GetText()), nil
		},
		"articles": replies(noArticle, nil),
		"changes": func(_ context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
			msg.Account = "changed"
			return nil, errors.New(botsWords)
		},
	}
	for _, tt := range []struct {
		name, target string
		want         string // the beginning of the error, behind "rule bot: forward to …: "
	}{
		{"error", startBot(t, replies(says(botsWords), status.Error(codes.ResourceExhausted, botsWords))), "ResourceExhausted"},
		{"error that is no status", startBot(t, replies(nil, errors.New(botsWords))), "Unknown"},
		{"slow", startBot(t, waits), "DeadlineExceeded"},
		{"away", testaddr.Unused(t), "Unavailable"},
		{"no such name", "dns:///bot.invalid:9001", "Unavailable"},
		{"garbage", startBot(t, replies(nil, nil), grpc.ForceServerCodecV2(garbage{encoding.GetCodecV2(proto.Name)})), "Internal"},
		{"no article", startBot(t, replies(noArticle, nil)), "the answer: news.articles: empty, but required"},
		{"no media id", startBot(t, replies(noMedia, nil)), "the answer: video.media_id: empty, but required"},
		{"handler fails", "handler:fails", "an error of type *errors.errorString"},
		{"handler fails with a status", "handler:status", "NotFound"},
		{"handler gives up", "handler:gives up", "DeadlineExceeded"},
		{"handler outlives its time", "handler:outlives", "DeadlineExceeded"},
		{"handler panics", "handler:panics", "panic: a string\n"},
		{"handler crashes", "handler:crashes", "panic: runtime error: index out of range [0] with length 0\n"},
		{"handler's reply without an article", "handler:articles", "the answer: news.articles: empty, but required"},
		{"handler changes the message", "handler:changes", "an error of type *errors.errorString"},
	} {
		for _, fallback := range []struct {
			name, key  string
			want       *wechatv1.Reply
			rule       string
			outcome    string
			fails      float64
			alsoFailed string
		}{
			{"next rule", "", says("next"), "next", "reply", 1, ""},
			{"fallback", `, fallback: {text: "later, {{ message.account }}"}`, says("later, shop"), "bot", "reply", 1, ""},
			{"silent", ", fallback: silent", nil, "bot", "silent", 1, ""},
			{"fallback that fails", `, fallback: {text: "{{ int(message.text.content) }}"}`, says("next"), "next", "reply", 2,
				"\nrule bot: an expression of its reply failed on this message"},
		} {
			t.Run(tt.name+", "+fallback.name, func(t *testing.T) {
				timeout := "10s"
				if tt.want == "DeadlineExceeded" {
					timeout = "20ms"
				}
				rules := fmt.Sprintf("rules:\n  - {name: bot, forward: {to: %q, timeout: %s%s}}\n  - {name: next, match: {type: text}, reply: {text: next}}\n",
					tt.target, timeout, fallback.key)
				r := startConfig(t, Config{Rules: write(t, t.TempDir(), "rules.yaml", rules), Handlers: handlers})
				if diff := cmp.Diff(fallback.want, r.ask(t, text(usersWords)), protocmp.Transform()); diff != "" {
					t.Errorf("reply (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(map[string]float64{fallback.outcome: 1, "rule_failed": fallback.fails}, r.outcomes(t)); diff != "" {
					t.Errorf("outcomes (-want +got):\n%s", diff)
				}
				line := r.log.line(t)
				got, _ := line["error"].(string)
				want := "rule bot: forward to " + tt.target + ": " + tt.want
				if line["level"] != "ERROR" || line["rule"] != fallback.rule || !strings.HasPrefix(got, want) || !strings.HasSuffix(got, fallback.alsoFailed) {
					t.Errorf("log line %v\nwant an error that begins with %q and ends with %q, of rule %s", line, want, fallback.alsoFailed, fallback.rule)
				}
				r.checkWordless(t)
			})
		}
	}
}

// checkWordless checks that neither log nor metrics hold words of the user or of the bot.
func (r *running) checkWordless(t *testing.T) {
	t.Helper()
	families, err := r.env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"password", "repeats", openid} {
		if strings.Contains(r.log.String(), words) {
			t.Errorf("the log has %q:\n%s", words, r.log)
		}
		if strings.Contains(fmt.Sprint(families), words) {
			t.Errorf("a metric has %q", words)
		}
	}
}

// TestForwardDeadline: of a caller's time enough is kept that the fallback comes in time.
func TestForwardDeadline(t *testing.T) {
	asked, release := make(chan time.Time, 1), make(chan struct{})
	defer close(release)
	target := startBot(t, func(ctx context.Context, _ *wechatv1.Message) (*wechatv1.Reply, error) {
		deadline, _ := ctx.Deadline()
		asked <- deadline
		<-release
		return nil, ctx.Err()
	})
	r := startRules(t, fmt.Sprintf("rules:\n  - {name: bot, forward: {to: %q, fallback: {text: later}}}\n", target))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	resp, err := r.Reply(ctx, &replierv1.ReplyRequest{Message: text("hi")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(says("later"), resp.GetReply(), protocmp.Transform()); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	deadline, _ := ctx.Deadline()
	// The server takes 100 ms for itself, and 100 ms for the fallback.
	if left := deadline.Sub(<-asked); left < 150*time.Millisecond {
		t.Errorf("%v are left when the bot's time ends, want 200 ms", left)
	}
}

// TestForwardCircle: repliers that forward to each other end, and one says why.
func TestForwardCircle(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "one.yaml", "rules:\n  - {name: one, silent: true}\n")
	one := start(t, path)
	two := startRules(t, fmt.Sprintf("rules:\n  - {name: two, forward: %q}\n", one.addr))
	write(t, dir, "one.yaml", fmt.Sprintf("rules:\n  - {name: one, forward: %q}\ndefault: {reply: {text: the end}}\n", two.addr))
	one.awaitVersion(t, 2)
	if diff := cmp.Diff(says("the end"), one.ask(t, text(usersWords)), protocmp.Transform()); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	if n := strings.Count(two.log.String(), "ReplierService/Reply"); n != maxForwards/2 {
		t.Errorf("the second was asked %d times, want %d", n, maxForwards/2)
	}
	want := fmt.Sprintf("rule one: forward to %s: the message was handed on %d times; do repliers forward in a circle?", two.addr, maxForwards)
	if !strings.Contains(one.log.String(), want) {
		t.Errorf("the log lacks %q:\n%s", want, one.log)
	}
	one.checkWordless(t)
	two.checkWordless(t)
}

// TestForwardAtOnce: a bot that is slow with one message delays no other.
func TestForwardAtOnce(t *testing.T) {
	release := make(chan struct{})
	target := startBot(t, func(_ context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		if msg.GetText().GetContent() == "slow" {
			<-release
		}
		return says(msg.GetText().GetContent()), nil
	})
	r := startRules(t, fmt.Sprintf("rules:\n  - {name: bot, forward: %q}\n", target))
	done := make(chan *wechatv1.Reply, 1)
	go func() {
		resp, err := r.Reply(t.Context(), &replierv1.ReplyRequest{Message: text("slow")})
		if err != nil {
			t.Error(err)
		}
		done <- resp.GetReply()
	}()
	for range 8 {
		if diff := cmp.Diff(says("quick"), r.ask(t, text("quick")), protocmp.Transform()); diff != "" {
			t.Errorf("reply (-want +got):\n%s", diff)
		}
	}
	close(release)
	if diff := cmp.Diff(says("slow"), <-done, protocmp.Transform()); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// TestForwardNoHandler: a rule that names a handler which the program has not is refused.
func TestForwardNoHandler(t *testing.T) {
	path := write(t, t.TempDir(), "rules.yaml", "rules:\n  - {name: a, forward: handler:bot}\n  - {name: b, forward: {to: handler:other}}\n")
	_, err := Config{Rules: path, Handlers: map[string]Handler{"bot": replies(nil, nil)}}.Complete()
	if want := path + `:3:29: rule "b": this program has no handler "other"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := rules.Load(path); err != nil {
		t.Errorf("%v, without a program", err)
	}
}
