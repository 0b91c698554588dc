package gateway

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Everything that decides whether a request is WeChat's is in this file. Each check fails with a refusal of its own
// reason; a stranger sees one text for all that are forbidden.

// refusal is a request that is not let in.
type refusal struct {
	status int
	reason string // for log and metric, from a fixed set
	detail string // what the caller sees besides the status; "" where the caller is told nothing
	allow  string // the methods, for a 405
}

func (r *refusal) Error() string { return r.reason }

func forbidden(reason string) *refusal { return &refusal{status: http.StatusForbidden, reason: reason} }

func bad(reason, detail string) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: reason, detail: detail}
}

// maxParameter is longer than any query parameter of WeChat's, in bytes.
const maxParameter = 512

// query is a callback's query string.
type query struct {
	signature, timestamp, nonce string
	echostr                     string // of a GET
	msgSignature                string // of a sealed POST
	sealed                      bool   // encrypt_type=aes
}

// parseQuery reads the parameters that the request's kind needs: each once and not empty. Of a sealed callback,
// signature says nothing about the body, so it is not asked for (platform page "消息加解密").
func parseQuery(method, raw string) (query, error) {
	var q query
	var encrypt string
	read := [...]struct {
		name  string
		value *string
		times int
	}{
		{name: "signature", value: &q.signature},
		{name: "msg_signature", value: &q.msgSignature},
		{name: "timestamp", value: &q.timestamp},
		{name: "nonce", value: &q.nonce},
		{name: "echostr", value: &q.echostr},
		{name: "encrypt_type", value: &encrypt},
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, badName := url.QueryUnescape(name)
		value, badValue := url.QueryUnescape(value)
		if badName != nil || badValue != nil || strings.Contains(pair, ";") { // as url.ParseQuery has it
			return q, bad("parameter", "the query string is malformed")
		}
		for i := range read {
			if p := &read[i]; p.name == name {
				p.times++
				*p.value = value
			}
		}
	}
	post := method == http.MethodPost
	if types := read[len(read)-1].times; post && types > 0 {
		q.sealed = encrypt == "aes"
		if types > 1 || !q.sealed && encrypt != "raw" {
			return q, bad("parameter", "encrypt_type: expected aes or raw, once")
		}
	}
	for _, p := range read[:len(read)-1] {
		wanted := true
		switch p.name {
		case "signature":
			wanted = !q.sealed
		case "msg_signature":
			wanted = q.sealed
		case "echostr":
			wanted = !post
		}
		switch {
		case p.times > 1:
			return q, bad("parameter", p.name+": given more than once")
		case wanted && *p.value == "":
			return q, bad("parameter", p.name+": missing or empty")
		case wanted && len(*p.value) > maxParameter:
			return q, bad("parameter", p.name+": too long")
		case !wanted:
			*p.value = ""
		}
	}
	return q, nil
}

// checkQuery checks what a POST's query says by itself, before its body is read: the mode, the time and, of a plain one,
// the signature. That of a sealed one covers the body.
func (a *account) checkQuery(q query, now time.Time, maxSkew time.Duration) error {
	if !q.sealed {
		if err := a.checkURL(q, now); err != nil {
			return err
		}
	}
	if err := checkTime(q, now, maxSkew); err != nil {
		return err
	}
	// The signature of a plain POST does not cover its body, and WeChat sends such a signature with sealed ones too
	// (platform.md A.3): an account that gets sealed callbacks accepts no other.
	if q.sealed == (a.Mode == Plain) {
		return forbidden("mode")
	}
	return nil
}

// checkURL checks the signature of a GET or a plain POST: token, timestamp and nonce.
func (a *account) checkURL(q query, now time.Time) error {
	_, err := a.signedBy(q, q.signature, "", now)
	return err
}

// signedBy returns the token of a signature over timestamp, nonce and, where there is an envelope, its Encrypt text.
// It is the present token or, in its grace time, the previous one.
func (a *account) signedBy(q query, signature, encrypt string, now time.Time) (token string, err error) {
	for _, t := range a.tokens {
		// An empty part does not change a signature.
		if t.good(now) && wechat.VerifySignature(signature, t.value, q.timestamp, q.nonce, encrypt) {
			return t.value, nil
		}
	}
	return "", forbidden("signature")
}

// signed returns when the request was signed, by WeChat's clock, in seconds; 0 where that is no number.
func (q query) signed() int64 {
	seconds, _ := strconv.ParseInt(q.timestamp, 10, 64)
	return seconds
}

// checkTime checks that the request was signed not long ago; maxSkew 0 takes any time. The timestamp has ten digits: the
// signature joins its parts without a separator, so that digits could move between timestamp and nonce.
func checkTime(q query, now time.Time, maxSkew time.Duration) error {
	if maxSkew == 0 {
		return nil
	}
	seconds, err := strconv.ParseUint(q.timestamp, 10, 63)
	if skew := now.Sub(time.Unix(int64(seconds), 0)); err != nil || len(q.timestamp) != 10 || skew.Abs() > maxSkew {
		return forbidden("timestamp")
	}
	return nil
}

// opened is a callback's document. Where it was sealed, the reply is to be sealed with the token and the key that the
// callback came with (comment of WeChat's sample code WXBizMsgCrypt): while a change spreads, WeChat has both.
type opened struct {
	*wechat.Document
	token  string
	cipher *wechat.Cipher // nil where it was not sealed
}

// open returns the document of a callback whose query is checked, taken out of its envelope if it was sealed.
func (a *account) open(q query, body []byte, now time.Time) (opened, error) {
	if q.sealed {
		return a.openSealed(q, body, now)
	}
	doc, err := openPlain(body)
	return opened{Document: doc}, err
}

func (a *account) openSealed(q query, body []byte, now time.Time) (opened, error) {
	envelope, err := parse(body)
	if err != nil {
		return opened{}, err
	}
	encrypt, ok := envelope.Text("Encrypt")
	if !ok {
		return opened{}, forbidden("envelope")
	}
	token, err := a.signedBy(q, q.msgSignature, encrypt, now)
	if err != nil {
		return opened{}, err
	}
	message, cipher, err := a.decrypt(encrypt, now)
	if err != nil {
		return opened{}, err
	}
	doc, err := parse(message)
	return opened{doc, token, cipher}, err
}

// decrypt returns the message in an Encrypt text, and the cipher that opened it: that of the present AES key or, in its
// grace time, of the previous one.
func (a *account) decrypt(encrypt string, now time.Time) ([]byte, *wechat.Cipher, error) {
	reason := "envelope"
	for _, c := range a.ciphers {
		if !c.good(now) {
			continue
		}
		message, err := c.value.Open(encrypt)
		if err == nil {
			return message, c.value, nil
		}
		if errors.Is(err, wechat.ErrAppID) {
			reason = "app_id"
		}
	}
	return nil, nil, forbidden(reason)
}

// checkReceiver checks that a message is for this account, where its original id is known.
func (a *account) checkReceiver(msg *wechatv1.Message) error {
	if a.OriginalID != "" && msg.GetToUserName() != a.OriginalID {
		return forbidden("original_id")
	}
	return nil
}

func openPlain(body []byte) (*wechat.Document, error) {
	doc, err := parse(body)
	if err != nil {
		return nil, err
	}
	// The plain half of a compatible-mode body is not signed: whoever removed encrypt_type could have changed it.
	if _, sealed := doc.Text("Encrypt"); sealed {
		return nil, forbidden("mode")
	}
	return doc, nil
}

func parse(body []byte) (*wechat.Document, error) {
	doc, err := wechat.Parse(body)
	if err != nil {
		return nil, bad("xml", err.Error())
	}
	return doc, nil
}
