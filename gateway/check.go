package gateway

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"wxgate/internal/accounts"
	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// All code that decides whether a callback is accepted is in this file; query.go reads the query string for it. Each check has an
// outcome of its own for the log. The caller sees the same text for every forbidden callback.

// refusal is the error of a callback that is not accepted.
type refusal struct {
	status  int
	outcome callbackOutcome
	detail  string // shown to the caller after the status; "": nothing
	allow   string // the methods, for a 405
}

func (r *refusal) Error() string { return string(r.outcome) }

func forbidden(outcome callbackOutcome) *refusal {
	return &refusal{status: http.StatusForbidden, outcome: outcome}
}

func badRequest(outcome callbackOutcome, detail string) *refusal {
	return &refusal{status: http.StatusBadRequest, outcome: outcome, detail: detail}
}

// checkQuery checks the query of a POST before the body is read: the mode, the time and, if the callback is plain, the signature. The
// signature of a sealed callback covers the body too, so openSealed checks it.
func (a *readyAccount) checkQuery(q callbackQuery, now time.Time, maxSkew time.Duration) error {
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
	if q.sealed == (a.Mode == accounts.Plain) {
		return forbidden(refusedMode)
	}
	return nil
}

// checkURL checks the signature of a GET or a plain POST: token, timestamp and nonce.
func (a *readyAccount) checkURL(q callbackQuery, now time.Time) error {
	_, err := a.signingToken(q, q.signature, "", now)
	return err
}

// signingToken returns the token that made a signature over timestamp, nonce and, if the callback is sealed, the Encrypt text: the
// current token or, in its grace time, the previous one.
func (a *readyAccount) signingToken(q callbackQuery, signature, encrypt string, now time.Time) (token string, err error) {
	for _, t := range a.tokens {
		// An empty part does not change a signature.
		if t.isGood(now) && wechat.VerifySignature(signature, t.value, q.timestamp, q.nonce, encrypt) {
			return t.value, nil
		}
	}
	return "", forbidden(refusedSignature)
}

// checkTime checks that the request was signed within maxSkew of now; 0: at any time. The timestamp must have ten digits: the signature
// joins its parts without a separator, so digits could move between timestamp and nonce.
func checkTime(q callbackQuery, now time.Time, maxSkew time.Duration) error {
	if maxSkew == 0 {
		return nil
	}
	seconds, err := strconv.ParseUint(q.timestamp, 10, 63)
	if skew := now.Sub(time.Unix(int64(seconds), 0)); err != nil || len(q.timestamp) != 10 || skew.Abs() > maxSkew {
		return forbidden(refusedTimestamp)
	}
	return nil
}

// openedBody is a callback's document. The reply to a sealed callback is sealed with the callback's own token and key (comment in
// WeChat's sample code WXBizMsgCrypt): while a change of them spreads, WeChat uses old and new ones.
type openedBody struct {
	*wechat.Document
	token  string
	cipher *wechat.Cipher // nil if the callback is plain
}

// openBody returns the document in the body of a callback, decrypted if it is sealed. checkQuery has accepted the query.
func (a *readyAccount) openBody(q callbackQuery, body []byte, now time.Time) (openedBody, error) {
	if q.sealed {
		return a.openSealed(q, body, now)
	}
	doc, err := openPlain(body)
	return openedBody{Document: doc}, err
}

func (a *readyAccount) openSealed(q callbackQuery, body []byte, now time.Time) (openedBody, error) {
	envelope, err := parseXML(body)
	if err != nil {
		return openedBody{}, err
	}
	encrypt, ok := envelope.Text("Encrypt")
	if !ok {
		return openedBody{}, forbidden(refusedEnvelope)
	}
	token, err := a.signingToken(q, q.msgSignature, encrypt, now)
	if err != nil {
		return openedBody{}, err
	}
	message, cipher, err := a.decryptEnvelope(encrypt, now)
	if err != nil {
		return openedBody{}, err
	}
	doc, err := parseXML(message)
	return openedBody{doc, token, cipher}, err
}

// decryptEnvelope returns the message in an Encrypt text, and the cipher that decrypted it: that of the current AES key or, in its
// grace time, that of the previous one.
func (a *readyAccount) decryptEnvelope(encrypt string, now time.Time) ([]byte, *wechat.Cipher, error) {
	reason := refusedEnvelope
	for _, c := range a.ciphers {
		if !c.isGood(now) {
			continue
		}
		message, err := c.value.Open(encrypt)
		if err == nil {
			return message, c.value, nil
		}
		if errors.Is(err, wechat.ErrAppID) {
			reason = refusedAppID
		}
	}
	return nil, nil, forbidden(reason)
}

// checkReceiver checks that a message is for this account, if the account's original id is known.
func (a *readyAccount) checkReceiver(msg *wechatv1.Message) error {
	if a.OriginalID != "" && msg.GetToUserName() != a.OriginalID {
		return forbidden(refusedOriginalID)
	}
	return nil
}

func openPlain(body []byte) (*wechat.Document, error) {
	doc, err := parseXML(body)
	if err != nil {
		return nil, err
	}
	// The plain half of a body in compatible mode is not signed: an attacker could remove encrypt_type and change it.
	if _, sealed := doc.Text("Encrypt"); sealed {
		return nil, forbidden(refusedMode)
	}
	return doc, nil
}

func parseXML(body []byte) (*wechat.Document, error) {
	doc, err := wechat.Parse(body)
	if err != nil {
		return nil, badRequest(refusedXML, err.Error())
	}
	return doc, nil
}
