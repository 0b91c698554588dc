// Command go is a replier with a bot inside: rules.yaml answers, and forwards other messages to the bot.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier"
)

func main() {
	listen := flag.String("listen", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:9100"), "address; port 0 for any")
	rules := flag.String("rules", "rules.yaml", "rules file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C quits at once
	if err := serve(ctx, *listen, *rules); err != nil {
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, listen, rules string) error {
	b := &bot{seen: map[string]int{}}
	config, err := replier.Config{
		Listen:   listen,
		Rules:    rules,
		Handlers: map[string]replier.Handler{"bot": b.reply},
	}.Complete()
	if err != nil {
		return err
	}
	server, err := replier.New(config)
	if err != nil {
		return err
	}
	fmt.Println("listening on", server.Addr())
	return server.Serve(ctx)
}

type bot struct {
	mu   sync.Mutex
	seen map[string]int // messages by user, until the bot stops
}

// reply answers a message; nil means no reply. On an error, the rule's fallback answers.
func (b *bot) reply(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
	user := msg.GetFromUserName()
	switch content := msg.GetContent().(type) {
	case *wechatv1.Message_Text:
		return text(ctx, content.Text.GetContent(), b.count(user))
	case *wechatv1.Message_Image:
		return say("A picture (message %d of yours): %s", b.count(user), content.Image.GetPicUrl()), nil
	case *wechatv1.Message_Event:
		if content.Event.GetUnsubscribe() != nil {
			b.forget(user)
		}
	}
	return nil, nil
}

var waitN = regexp.MustCompile(`^wait ([0-9]{1,6})$`)

func text(ctx context.Context, content string, number int) (*wechatv1.Reply, error) {
	words := strings.TrimPrefix(content, "bot ") // the rule forwards texts with this prefix
	wait := waitN.FindStringSubmatch(words)
	if wait == nil {
		return say("%s (message %d of yours)", strings.ToUpper(words), number), nil
	}
	duration, err := time.ParseDuration(wait[1] + "s")
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(duration): // in place of slow work: a database, a language model
		return say("I waited %s s.", wait[1]), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *bot) count(user string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[user]++
	return b.seen[user]
}

// forget follows WeChat's rule: data about a user who unsubscribes must be deleted.
func (b *bot) forget(user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.seen, user)
}

func say(format string, args ...any) *wechatv1.Reply {
	return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: fmt.Sprintf(format, args...)}}}
}
