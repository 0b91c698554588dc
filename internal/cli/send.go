package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

type sendCmd struct {
	accountFlags
	URL  string `name:"url" env:"WXGATE_URL" default:"http://127.0.0.1:8000/" help:"Callback URL of the gateway."`
	From string `name:"from" placeholder:"OPENID" help:"OpenID of the user who sends; by default a made-up one."`
	Fake string `name:"fake" env:"WXGATE_FAKE" default:"http://127.0.0.1:8010" help:"Fake WeChat that is told about the user's action, so that it accepts late answers; ignored if unreachable."`
	To   string `name:"to" placeholder:"GH_ID" help:"The account's original id; by default a made-up one."`
	New  bool   `name:"new" help:"Give an xml a new MsgId and the current CreateTime; with the old ones a gateway takes it for WeChat's retry."`

	Kind string   `arg:"" help:"text, image, voice, video, shortvideo, location, link, event or xml."`
	Args []string `arg:"" optional:"" help:"Content of the message; see the kinds above."`
}

// Help describes the kinds.
func (c *sendCmd) Help() string {
	kinds := strings.ReplaceAll("\n"+strings.TrimSpace(sender.Kinds()), "\n", "\n    ")
	return "Kinds and their arguments:\n" + kinds + "\n    xml XML|-\n" +
		"\nxml sends a whole callback as it is, with the sender and recipient in it; - reads it from stdin. With --from it need not be XML." +
		"\n\nWithout --token, the account of \"wxgate dev\" is used. The exit code is 1 if WeChat would show the user an error."
}

// Run sends one callback.
func (c *sendCmd) Run(ctx context.Context) error {
	if err := errors.Join(checkURL("url", c.URL), checkURL("fake", c.Fake)); err != nil {
		return err
	}
	account := fakeAccount(c.accountFlags, "")
	if c.To != "" {
		account.OriginalID = c.To
	}
	callback, err := c.makeCallback(account)
	if err != nil {
		return err
	}
	s := sender.Sender{URL: c.URL, Account: account, PlatformURL: c.Fake}
	if c.Kind == kindXML {
		s.From = c.From
	}
	for attempt := 1; ; attempt++ {
		result, err := s.Send(ctx, callback)
		if err == nil {
			return printResult(os.Stdout, c.URL, result)
		}
		var timeout interface{ Timeout() bool }
		if attempt == sender.MaxAttempts || !errors.As(err, &timeout) || !timeout.Timeout() {
			return err
		}
		fmt.Fprintln(os.Stderr, "no answer in 5 s: sent again, as WeChat does")
	}
}

// kindXML is the kind of a whole callback.
const kindXML = "xml"

// makeCallback returns the callback that the arguments describe.
func (c *sendCmd) makeCallback(account sender.Account) ([]byte, error) {
	if c.Kind == kindXML {
		callback, err := c.wholeCallback()
		if c.New {
			callback = sender.RenewCallback(callback, time.Now())
		}
		return callback, err
	}
	return sender.Compose(account.OriginalID, cmp.Or(c.From, sender.User), time.Now(), c.Kind, c.Args...)
}

// wholeCallback returns the callback of an xml.
func (c *sendCmd) wholeCallback() ([]byte, error) {
	switch {
	case len(c.Args) != 1:
		return nil, fmt.Errorf("xml: %d arguments do not fit; usage: xml XML|-", len(c.Args))
	case c.Args[0] == "-":
		return readBody(os.Stdin)
	}
	return []byte(c.Args[0]), nil
}

func printResult(w io.Writer, url string, r *sender.Result) error {
	fmt.Fprintf(w, "POST %s: %d in %s\n", url, r.Status, r.Took.Round(100*time.Microsecond))
	switch {
	case r.XML != nil:
		fmt.Fprintf(w, "\n%s\n\n", r.XML)
	case len(r.Refused) == 0:
		fmt.Fprintln(w, "\nsuccess: nothing to say")
	}
	width := 0
	for _, f := range r.Fields {
		width = max(width, len(f.Name))
	}
	for _, f := range r.Fields {
		fmt.Fprintf(w, "%-*s  %s\n", width, f.Name, strings.ReplaceAll(f.Value, "\n", `\n`))
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	if len(r.Refused) > 0 {
		return fmt.Errorf("WeChat would show %q:\n%s", sender.ServiceFailed, strings.Join(r.Refused, "\n"))
	}
	return nil
}
