package cli

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
	"google.golang.org/protobuf/proto"

	"wxgate/fakewechat/sender"
	"wxgate/internal/service"
	"wxgate/internal/wechat"
)

type sendCmd struct {
	accountFlags
	URL  string `name:"url" env:"WXGATE_URL" default:"http://127.0.0.1:8000/" help:"Callback URL of the gateway."`
	From string `name:"from" placeholder:"OPENID" help:"The user who sends."`
	Fake string `name:"fake" env:"WXGATE_FAKE" default:"http://127.0.0.1:8010" help:"A fake WeChat that is told what the user does, so that answers may follow; whether it is there is no matter."`
	To   string `name:"to" placeholder:"GH_ID" help:"The account's original id."`
	New  bool   `name:"new" help:"Give an xml another MsgId and the current CreateTime: a gateway takes the same ones again for a retry."`

	Kind string   `arg:"" help:"text, image, voice, video, shortvideo, location, link, event or xml."`
	Args []string `arg:"" optional:"" help:"What is sent, as above."`
}

// Help describes the kinds.
func (c *sendCmd) Help() string {
	kinds := strings.ReplaceAll("\n"+strings.TrimSpace(sender.Kinds()), "\n", "\n    ")
	return "Kinds and what they take:\n" + kinds + "\n    xml XML|-\n" +
		"\nxml is a whole callback, - reads it from stdin: it says itself who it is for and from. With --new it is a new message each time. With --from, what is not XML is sent too." +
		"\n\nWithout --token the account of \"wxgate dev\" is used. Exit 1 where WeChat would show the user an error."
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
	from := c.From
	if from == "" {
		from = sender.User
	}
	s := sender.Sender{URL: c.URL, Account: account, PlatformURL: c.Fake}
	var callback []byte
	var err error
	if c.Kind == "xml" {
		s.From = c.From
		if callback, err = c.whole(); c.New {
			callback = sender.RenewCallback(callback, time.Now())
		}
	} else {
		callback, err = sender.Compose(account.OriginalID, from, time.Now(), c.Kind, c.Args...)
	}
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		result, err := s.Send(ctx, callback)
		if err == nil {
			return printResult(os.Stdout, c.URL, result)
		}
		var timeout interface{ Timeout() bool }
		if attempt == sendAttempts || !errors.As(err, &timeout) || !timeout.Timeout() {
			return err
		}
		fmt.Fprintln(os.Stderr, "no answer in 5 s: sent again, as WeChat does")
	}
}

// whole returns the callback that is given whole.
func (c *sendCmd) whole() ([]byte, error) {
	switch {
	case len(c.Args) != 1:
		return nil, fmt.Errorf("xml: %d arguments do not fit; usage: xml XML|-", len(c.Args))
	case c.Args[0] == "-":
		return readBody(os.Stdin)
	}
	return []byte(c.Args[0]), nil
}

// sendAttempts is how often WeChat sends a callback that is not answered (platform page "消息推送").
const sendAttempts = 3

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

type decodeCmd struct {
	appFlags
	AESKey service.Secret `name:"aes-key" env:"WECHAT_AES_KEY" placeholder:"KEY" help:"EncodingAESKey, to open a sealed callback."`
}

// Run prints the message on stdin.
func (c *decodeCmd) Run() error {
	body, err := readBody(os.Stdin)
	if err != nil {
		return err
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
	return printJSON(os.Stdout, doc.Message())
}

// readBody reads a callback's body, at most what a gateway takes.
func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, wechat.MaxBody+1))
	if err == nil && len(body) > wechat.MaxBody {
		err = fmt.Errorf("the body is larger than %d bytes: a gateway refuses it", wechat.MaxBody)
	}
	return body, err
}

// printJSON prints a message, the same in every build.
func printJSON(w io.Writer, m proto.Message) error {
	compact, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, out.String())
	return err
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

type healthCmd struct {
	Addr string `arg:"" help:"Internal address (127.0.0.1:8001) or gRPC address (127.0.0.1:9001) of a process."`
	service.TLSFlags
}

// Run asks for health.
func (c *healthCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return service.CheckHealth(ctx, c.Addr, c.TLSFlags)
}
