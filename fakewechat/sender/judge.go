package sender

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// MaxText is the maximum of bytes in a passive text; WeChat cuts or rejects longer ones.
const MaxText = 2048

// maxArticles is how many articles WeChat shows.
const maxArticles = 8

// replyShape lists the elements of a reply that belong to its MsgType.
type replyShape struct {
	box                string // the element that contains the others
	required, optional []string
}

// replyShapes has the shapes of all passive replies but text and news.
var replyShapes = map[string]replyShape{
	"image":                     {"Image", []string{"MediaId"}, nil},
	"voice":                     {"Voice", []string{"MediaId"}, nil},
	"video":                     {"Video", []string{"MediaId"}, []string{"Title", "Description"}},
	"music":                     {"Music", []string{"ThumbMediaId"}, []string{"Title", "Description", "MusicUrl", "HQMusicUrl"}},
	"transfer_customer_service": {"TransInfo", nil, []string{"KfAccount"}},
}

// judge collects the reasons for which WeChat would reject the answer to a callback.
type judge struct {
	account  *Account
	mode     Mode
	cipher   *wechat.Cipher // nil in plain mode
	callback Callback
	fields   []Field
	refused  []*Reason
	warned   []*Reason // parts that WeChat accepts and does not show as intended
}

func (j *judge) refuse(format string, args ...any) {
	j.refused = append(j.refused, Because(format, args...))
}

func (j *judge) warn(format string, args ...any) {
	j.warned = append(j.warned, Because(format, args...))
}

// judgeBody judges an answer's body and returns the reply's XML, opened. It returns nil for success, an empty body, and a body
// that cannot be opened.
func (j *judge) judgeBody(body []byte) []byte {
	if len(body) == 0 || string(body) == wechat.Success {
		return nil
	}
	root, err := parseAnswer(body)
	if err != nil {
		j.refuse("%v", err)
		return nil
	}
	if slices.ContainsFunc(root.children, func(n *xmlNode) bool { return strings.EqualFold(n.name, "Encrypt") }) {
		var ok bool
		if body, ok = j.openEnvelope(root); !ok {
			return nil
		}
		if len(body) == 0 || string(body) == wechat.Success {
			j.refuse("the envelope holds no reply: success and the empty answer are never sealed")
			return nil
		}
		if root, err = parseAnswer(body); err != nil {
			j.refuse("in the envelope: %v", err)
			return nil
		}
	} else if j.mode == Safe {
		j.refuse("the reply is plain XML; in safe mode it must be sealed")
	}
	j.judgeReply(root)
	return body
}

// openEnvelope checks the envelope and returns its content, or false if it cannot be opened.
func (j *judge) openEnvelope(root *xmlNode) ([]byte, bool) {
	if j.cipher == nil {
		j.refuse("the reply is sealed; in plain mode it must be plain XML")
		return nil, false
	}
	before := len(j.refused)
	names := []string{"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}
	value := map[string]string{}
	for _, name := range names {
		value[name] = j.leafText(root, "the envelope's ", name, true)
	}
	for _, n := range root.children {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, n.name) }) {
			j.refuse("the envelope must not hold <%s>", Clip(n.name, 40))
			break
		}
	}
	j.refuseText(root, "the envelope")
	if len(j.refused) > before {
		return nil, false
	}
	j.judgeSeconds("the envelope's ", "TimeStamp", value["TimeStamp"])
	if !wechat.VerifySignature(value["MsgSignature"], j.account.Token, value["TimeStamp"], value["Nonce"], value["Encrypt"]) {
		j.refuse("the envelope's MsgSignature is not that of the token with its own TimeStamp, Nonce and Encrypt")
		return nil, false
	}
	reply, err := j.cipher.Open(value["Encrypt"])
	if err != nil {
		j.refuse("the envelope does not open with the account's key and AppID: %v", err)
		return nil, false
	}
	return reply, true
}

// judgeReply judges a plain reply and collects its fields.
func (j *judge) judgeReply(root *xmlNode) {
	j.refuseText(root, "<xml>")
	j.judgeUsers(root)
	if created := j.leafText(root, "", "CreateTime", true); created != "" {
		j.judgeSeconds("", "CreateTime", created)
	}
	kind := j.leafText(root, "", "MsgType", true)
	if kind == "" {
		return
	}
	j.addField("MsgType", kind)
	switch s, ok := replyShapes[kind]; {
	case kind == "text":
		j.judgeText(root)
	case kind == "news":
		j.judgeNews(root)
	case !ok:
		j.refuse("MsgType is %q, which is not one of the seven passive replies", Clip(kind, 40))
	default:
		if box := j.onlyChild(root, "", s.box, len(s.required) > 0); box != nil {
			j.refuseText(box, s.box)
			j.judgeLeaves(box, s.box+".", s)
		}
	}
}

// judgeUsers judges the reply's ToUserName and FromUserName.
func (j *judge) judgeUsers(root *xmlNode) {
	to := j.leafText(root, "", "ToUserName", true)
	from := j.leafText(root, "", "FromUserName", true)
	switch {
	case to == "" || from == "": // already refused
	case to == j.callback.To && from == j.callback.From && to != from:
		j.refuse("ToUserName and FromUserName are swapped: a reply goes to the user, from the account")
	default:
		if to != j.callback.From {
			j.refuse("ToUserName is not the user's openid, the callback's FromUserName")
		}
		switch from {
		case j.callback.To:
		case j.account.AppID:
			j.refuse("FromUserName is the AppID; it must be the account's original id, the callback's ToUserName")
		default:
			j.refuse("FromUserName is not the account's original id, the callback's ToUserName")
		}
	}
}

// isHidden reports whether the reply answers an event whose answers WeChat accepts and does not show.
func (j *judge) isHidden() bool {
	return len(j.fields) > 0 && len(j.refused) == 0 && j.callback.MsgType == "event" && !wechatv1.EventReplyOf(j.callback.Event).IsShown()
}

func (j *judge) judgeText(root *xmlNode) {
	content := j.leafText(root, "", "Content", true)
	j.addField("Content", content)
	switch {
	case len(content) > MaxText:
		j.refuse("Content has %d bytes; %d are the most", len(content), MaxText)
	case content != "" && strings.TrimSpace(content) == "": // platform.md D: not empty; no source mentions blanks
		j.warn("Content is nothing but blanks; WeChat may take it for an empty one, which it refuses")
	}
}

func (j *judge) judgeNews(root *xmlNode) {
	count := j.leafText(root, "", "ArticleCount", true)
	j.addField("ArticleCount", count)
	box := j.onlyChild(root, "", "Articles", true)
	if box == nil {
		return
	}
	j.refuseText(box, "Articles")
	items := slices.DeleteFunc(slices.Clone(box.children), func(n *xmlNode) bool { return n.name != "item" })
	if count != "" && count != strconv.Itoa(len(items)) {
		j.refuse("ArticleCount is not the number of items, which is %d", len(items))
	}
	if len(items) == 0 {
		j.refuse("Articles holds no <item>")
	}
	for i, item := range j.shownArticles(items) {
		at := fmt.Sprintf("Articles[%d]", i)
		j.refuseText(item, at)
		j.judgeLeaves(item, at+".", replyShape{required: []string{"Title"}, optional: []string{"Description", "PicUrl", "Url"}})
	}
}

// shownArticles returns the articles that WeChat shows: it drops the surplus (platform.md D).
func (j *judge) shownArticles(items []*xmlNode) []*xmlNode {
	switch {
	case len(items) > 1 && j.callback.MsgType != "event":
		j.warn("%d articles in the answer to a user's message; WeChat shows the first, and drops the others", len(items))
		return items[:1]
	case len(items) > maxArticles:
		j.warn("%d articles; WeChat shows the first %d, and drops the others", len(items), maxArticles)
		return items[:maxArticles]
	}
	return items
}

// judgeLeaves judges the children that are listed in s and collects them.
func (j *judge) judgeLeaves(parent *xmlNode, at string, s replyShape) {
	for _, name := range s.required {
		j.addField(at+name, j.leafText(parent, at, name, true))
	}
	for _, name := range s.optional {
		j.addField(at+name, j.leafText(parent, at, name, false))
	}
}

func (j *judge) addField(name, value string) {
	if value != "" {
		j.fields = append(j.fields, Field{name, value})
	}
}
