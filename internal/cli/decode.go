package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"wxgate/internal/service"
	"wxgate/internal/wechat"
)

type decodeCmd struct {
	appIDFlags
	AESKey service.Secret `name:"aes-key" env:"WECHAT_AES_KEY" placeholder:"KEY" help:"EncodingAESKey, 43 characters; a sealed callback needs it."`
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
		if doc, err = c.openEnvelope(encrypt); err != nil {
			return err
		}
	}
	return printJSON(os.Stdout, doc.Message())
}

// readBody reads a callback's body, up to the limit of a gateway.
func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, wechat.MaxBody+1))
	if err == nil && len(body) > wechat.MaxBody {
		err = fmt.Errorf("the body is larger than %d bytes: a gateway rejects it", wechat.MaxBody)
	}
	return body, err
}

// printJSON prints a message, in the same form in every build: protojson alone adds random spaces.
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

// openEnvelope decrypts a message. Its signature is in the callback's URL and cannot be checked here.
func (c *decodeCmd) openEnvelope(encrypt string) (*wechat.Document, error) {
	if c.AESKey == "" || c.AppID == "" {
		return nil, errors.New("the body is sealed: give --aes-key and --app-id to open it")
	}
	cipher, err := wechat.NewCipher(c.AESKey.Reveal(), c.AppID)
	if err != nil {
		return nil, service.BadSetting("aes key", "%w", err)
	}
	body, err := cipher.Open(encrypt)
	if err != nil {
		return nil, err
	}
	return wechat.Parse(body)
}
