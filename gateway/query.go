package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxParameter is longer than any query parameter of WeChat's, in bytes.
const maxParameter = 512

// callbackQuery is a callback's query string.
type callbackQuery struct {
	signature, timestamp, nonce string
	echostr                     string // of a GET
	msgSignature                string // of a sealed POST
	sealed                      bool   // encrypt_type=aes
}

// The parameters that are read, by their place in parameterNames.
const (
	paramSignature = iota
	paramMsgSignature
	paramTimestamp
	paramNonce
	paramEchostr
	paramEncryptType
	paramCount
)

var parameterNames = [paramCount]string{"signature", "msg_signature", "timestamp", "nonce", "echostr", "encrypt_type"}

// queryParameters are the values of the parameters, and how often each was given.
type queryParameters [paramCount]struct {
	value string
	times int
}

// parseQuery reads the parameters that the request's kind needs: each once and not empty. The signature of a sealed callback
// does not cover the body, so it is not needed (platform page "消息加解密").
func parseQuery(method, raw string) (callbackQuery, error) {
	var given queryParameters
	if err := given.readAll(raw); err != nil {
		return callbackQuery{}, err
	}
	isPost := method == http.MethodPost
	sealed := false
	if encryptType := given[paramEncryptType]; isPost && encryptType.times > 0 {
		sealed = encryptType.value == "aes"
		if encryptType.times > 1 || !sealed && encryptType.value != "raw" {
			return callbackQuery{}, badRequest(refusedParameter, "encrypt_type: expected aes or raw, once")
		}
	}
	for i, needed := range [...]bool{paramSignature: !sealed, paramMsgSignature: sealed, paramTimestamp: true, paramNonce: true, paramEchostr: !isPost} {
		if err := given.checkOne(i, needed); err != nil {
			return callbackQuery{}, err
		}
		if !needed {
			given[i].value = ""
		}
	}
	return callbackQuery{
		signature:    given[paramSignature].value,
		timestamp:    given[paramTimestamp].value,
		nonce:        given[paramNonce].value,
		echostr:      given[paramEchostr].value,
		msgSignature: given[paramMsgSignature].value,
		sealed:       sealed,
	}, nil
}

// readAll reads a query string by the rules of url.ParseQuery, without its map: most parameters of a stranger's query are not kept.
func (p *queryParameters) readAll(raw string) error {
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, badName := url.QueryUnescape(name)
		value, badValue := url.QueryUnescape(value)
		if badName != nil || badValue != nil || strings.Contains(pair, ";") {
			return badRequest(refusedParameter, "the query string is malformed")
		}
		if i := slices.Index(parameterNames[:], name); i >= 0 {
			p[i].times++
			p[i].value = value
		}
	}
	return nil
}

// checkOne checks a parameter by its place in parameterNames. One that is not needed may be missing, but not be given twice.
func (p *queryParameters) checkOne(i int, needed bool) error {
	name, given := parameterNames[i], p[i]
	switch {
	case given.times > 1:
		return badRequest(refusedParameter, name+": given more than once")
	case needed && given.value == "":
		return badRequest(refusedParameter, name+": missing or empty")
	case needed && len(given.value) > maxParameter:
		return badRequest(refusedParameter, name+": too long")
	}
	return nil
}

// signedAt returns when WeChat signed the request, by its clock, in seconds; 0 if the timestamp is not a number.
func (q callbackQuery) signedAt() int64 {
	seconds, _ := strconv.ParseInt(q.timestamp, 10, 64)
	return seconds
}
