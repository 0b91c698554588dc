package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"wxgate/internal/fakewechat"
	"wxgate/internal/service"
	"wxgate/internal/wechat"
	"wxgate/replier"
)

type sendCmd struct {
	accountFlags
	URL  string `name:"url" env:"WXGATE_URL" default:"http://127.0.0.1:8000/" help:"Callback URL of the gateway."`
	From string `name:"from" placeholder:"OPENID" help:"The user who sends."`
	To   string `name:"to" placeholder:"GH_ID" help:"The account's original id."`

	Kind string   `arg:"" help:"text, image, voice, video, shortvideo, location, link or event."`
	Args []string `arg:"" optional:"" help:"What is sent, as above."`
}

// Help describes the kinds.
func (c *sendCmd) Help() string {
	kinds := strings.ReplaceAll("\n"+strings.TrimSpace(fakewechat.Kinds()), "\n", "\n    ")
	return "Kinds and what they take:\n" + kinds +
		"\n\nWithout --token the account of \"wxgate dev\" is used. Exit 1 where WeChat would show the user an error."
}

// Run sends one callback.
func (c *sendCmd) Run(ctx context.Context) error {
	account := fakeAccount(c.accountFlags, "")
	if c.To != "" {
		account.OriginalID = c.To
	}
	from := c.From
	if from == "" {
		from = fakewechat.User
	}
	callback, err := fakewechat.Compose(account.OriginalID, from, time.Now(), c.Kind, c.Args...)
	if err != nil {
		return err
	}
	sender := fakewechat.Sender{URL: c.URL, Account: account}
	result, err := sender.Send(ctx, callback)
	if err != nil {
		return err
	}
	return printResult(os.Stdout, c.URL, result)
}

func printResult(w io.Writer, url string, r *fakewechat.Result) error {
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
	if len(r.Refused) > 0 {
		return fmt.Errorf("WeChat would show %q:\n%s", fakewechat.ServiceFailed, strings.Join(r.Refused, "\n"))
	}
	return nil
}

type decodeCmd struct {
	appFlags
	AESKey service.Secret `name:"aes-key" env:"WECHAT_AES_KEY" placeholder:"KEY" help:"EncodingAESKey, to open a sealed callback."`
}

// Run prints the message on stdin.
func (c *decodeCmd) Run() error {
	body, err := io.ReadAll(io.LimitReader(os.Stdin, wechat.MaxBody+1))
	if err != nil {
		return err
	}
	if len(body) > wechat.MaxBody {
		return fmt.Errorf("the body is larger than %d bytes: a gateway refuses it", wechat.MaxBody)
	}
	doc, err := wechat.Parse(body)
	if err != nil {
		return err
	}
	if encrypt, sealed := doc.Text("Encrypt"); sealed {
		if doc, err = c.unseal(encrypt); err != nil {
			return err
		}
	}
	compact, err := protojson.Marshal(doc.Message())
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return err
	}
	fmt.Println(out.String())
	return nil
}

// unseal opens an envelope. Its signature is in the callback's URL and cannot be checked here.
func (c *decodeCmd) unseal(encrypt string) (*wechat.Document, error) {
	if c.AESKey == "" || c.AppID == "" {
		return nil, errors.New("the body is sealed: give --aes-key and --app-id to open it")
	}
	cipher, err := wechat.NewCipher(c.AESKey.Reveal(), c.AppID)
	if err != nil {
		return nil, fmt.Errorf("--aes-key: %w", err)
	}
	body, err := cipher.Open(encrypt)
	if err != nil {
		return nil, err
	}
	return wechat.Parse(body)
}

type checkCmd struct {
	Files []string `arg:"" name:"file" help:"Rules files."`
}

// Run checks rules files.
func (c *checkCmd) Run() error {
	var errs []error
	for _, file := range c.Files {
		rules, err := replier.LoadRules(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Printf("%s: ok, %d rules\n", file, rules.Len())
	}
	return errors.Join(errs...)
}

type healthCmd struct {
	Addr string `arg:"" help:"Internal address (127.0.0.1:8001) or gRPC address (127.0.0.1:9001) of a process."`
}

// Run asks for health.
func (c *healthCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return service.CheckHealth(ctx, c.Addr)
}
