package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"wxgate/internal/service"
	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/replier/rules"
)

type checkCmd struct {
	Files []string `arg:"" name:"file" help:"YAML files of rules."`
}

// Run checks rules files, and runs the expectations in them.
func (c *checkCmd) Run(ctx context.Context) error {
	var errs []error
	for _, file := range c.Files {
		loaded, err := rules.Load(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, w := range loaded.Warnings() {
			fmt.Fprintf(os.Stderr, "warning: %s\n", w)
		}
		if unmet := loaded.Check(ctx); len(unmet) > 0 {
			errs = append(errs, unmet)
			continue
		}
		fmt.Printf("%s: ok: rules %d, expectations %d, warnings %d\n", file, loaded.RuleCount(), loaded.ExpectationCount(), loaded.WarningCount())
	}
	return errors.Join(errs...)
}

type tryCmd struct {
	File    string `arg:"" optional:"" name:"file" help:"YAML file of rules; by default the built-in rules."`
	Account string `name:"account" placeholder:"NAME" help:"Name of the account that gets the message; by default the one in the message."`
	At      string `name:"at" placeholder:"TIME" help:"When the message was sent, such as 2026-01-31T09:30:00+08:00; by default the time in the message."`
}

// Help describes the arguments.
func (*tryCmd) Help() string {
	return "The message comes on stdin: a text, a callback's XML, or the JSON that \"wxgate decode\" prints."
}

// Run shows what the rules do with the message on stdin.
func (c *tryCmd) Run(ctx context.Context) error {
	loaded, err := rules.Load(c.File)
	if err != nil {
		return err
	}
	msg, err := readMessage(os.Stdin)
	if err != nil {
		return err
	}
	if c.Account != "" {
		msg.Account = c.Account
	}
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			return service.BadSetting("at", "%q; expected a time such as 2026-01-31T09:30:00+08:00", c.At)
		}
		msg.CreateTime = at.Unix()
	}
	t := loaded.Try(ctx, msg)
	printMisses(os.Stdout, t.Missed)
	if t.Rule == "" {
		fmt.Println("no rule answers: nothing is said")
		return nil
	}
	fmt.Printf("%s answers (%s:%d)\n", t.Rule, t.File, t.Line)
	switch {
	case t.Forward != "":
		fmt.Printf("it forwards to %s, which was not asked\n", t.Forward)
		if t.Unread {
			fmt.Printf("its answer is not sent: nobody sees %s answered\n", msg.GetEvent().GetEvent())
		}
	case t.Unread:
		fmt.Printf("what it says is not sent: nobody sees %s answered\n", msg.GetEvent().GetEvent())
	case len(t.Replies) == 0:
		fmt.Println("it says nothing")
	case len(t.Replies) > 1:
		fmt.Println("it says one of:")
	}
	for _, reply := range t.Replies {
		if err := printJSON(os.Stdout, reply); err != nil {
			return err
		}
	}
	return nil
}

// printMisses prints why rules do not answer, in one line for consecutive rules with the same reason.
func printMisses(w io.Writer, missed []rules.Miss) {
	for len(missed) > 0 {
		n := slices.IndexFunc(missed, func(m rules.Miss) bool { return m.Why != missed[0].Why })
		if n < 0 {
			n = len(missed)
		}
		switch first, last := missed[0], missed[n-1]; n {
		case 1:
			fmt.Fprintf(w, "%s does not answer: %s\n", first.Rule, first.Why)
		case 2:
			fmt.Fprintf(w, "%s and %s do not answer: %s\n", first.Rule, last.Rule, first.Why)
		default:
			fmt.Fprintf(w, "%s … %s (%d rules) do not answer: %s\n", first.Rule, last.Rule, n, first.Why)
		}
		missed = missed[n:]
	}
}

// readMessage reads a message: a callback's XML, the JSON that "wxgate decode" prints, or the text of a text message.
func readMessage(r io.Reader) (*wechatv1.Message, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	start := bytes.TrimSpace(body)
	if len(start) > 0 && start[0] != '<' && start[0] != '{' {
		text := strings.TrimRight(string(body), "\r\n")
		return &wechatv1.Message{MsgType: "text", Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: text}}}, nil
	}
	msg, err := wechat.Decode(body)
	if err == nil || !bytes.HasPrefix(start, []byte("{")) {
		return msg, err
	}
	msg = &wechatv1.Message{} // the JSON is not a callback's, but a message's
	err = protojson.Unmarshal(body, msg)
	msg.MsgType = msg.Kind()
	return msg, err
}

type schemaCmd struct{}

// Run prints the schema.
func (*schemaCmd) Run() error {
	_, err := io.WriteString(os.Stdout, rules.Schema())
	return err
}
