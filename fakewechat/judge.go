package fakewechat

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wxgate/internal/wechat"
	wechatv1 "wxgate/proto/wechat/v1"
)

// Field is one value of a reply, named by its path: Content, Image.MediaId, Articles[0].Title.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

const (
	maxText     = 2048 // bytes of a passive text; longer ones are cut or refused
	maxArticles = 8
)

// shape is what belongs to a reply's MsgType besides the common children.
type shape struct {
	box                string // the element around the leaves
	required, optional []string
}

// shapes are the passive replies that WeChat knows besides text and news.
var shapes = map[string]shape{
	"image":                     {"Image", []string{"MediaId"}, nil},
	"voice":                     {"Voice", []string{"MediaId"}, nil},
	"video":                     {"Video", []string{"MediaId"}, []string{"Title", "Description"}},
	"music":                     {"Music", []string{"ThumbMediaId"}, []string{"Title", "Description", "MusicUrl", "HQMusicUrl"}},
	"transfer_customer_service": {"TransInfo", nil, []string{"KfAccount"}},
}

// judge collects why WeChat would refuse the answer to a callback.
type judge struct {
	account *Account
	mode    Mode
	cipher  *wechat.Cipher // nil in plain mode
	request request
	fields  []Field
	refused []*reason
	warned  []*reason // of what WeChat takes, and does not show as it is meant
}

func (j *judge) refuse(format string, args ...any) {
	j.refused = append(j.refused, because(format, args...))
}

func (j *judge) warn(format string, args ...any) {
	j.warned = append(j.warned, because(format, args...))
}

// body judges an answer's body and returns the reply's XML, opened; nil where nothing is said or nothing can be read.
func (j *judge) body(body []byte) []byte {
	if len(body) == 0 || string(body) == wechat.Success {
		return nil
	}
	root, err := parse(body)
	if err != nil {
		j.refuse("%v", err)
		return nil
	}
	if slices.ContainsFunc(root.children, func(n *node) bool { return strings.EqualFold(n.name, "Encrypt") }) {
		var ok bool
		if body, ok = j.open(root); !ok {
			return nil
		}
		if len(body) == 0 || string(body) == wechat.Success {
			j.refuse("the envelope holds no reply: success and the empty answer are never sealed")
			return nil
		}
		if root, err = parse(body); err != nil {
			j.refuse("in the envelope: %v", err)
			return nil
		}
	} else if j.mode == Safe {
		j.refuse("the reply is plain XML; in safe mode it must be sealed")
	}
	j.reply(root)
	return body
}

// open checks the envelope and returns what it holds, or false where it can't be opened.
func (j *judge) open(root *node) ([]byte, bool) {
	if j.cipher == nil {
		j.refuse("the reply is sealed; in plain mode it must be plain XML")
		return nil, false
	}
	before := len(j.refused)
	names := []string{"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}
	value := map[string]string{}
	for _, name := range names {
		value[name] = j.leaf(root, "the envelope's ", name, true)
	}
	for _, n := range root.children {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, n.name) }) {
			j.refuse("the envelope must not hold <%s>", clip(n.name, 40))
			break
		}
	}
	j.noText(root, "the envelope")
	if len(j.refused) > before {
		return nil, false
	}
	j.seconds("the envelope's ", "TimeStamp", value["TimeStamp"])
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

// reply judges a plain reply and collects its fields.
func (j *judge) reply(root *node) {
	j.noText(root, "<xml>")
	to := j.leaf(root, "", "ToUserName", true)
	from := j.leaf(root, "", "FromUserName", true)
	switch {
	case to == "" || from == "": // said already
	case to == j.request.to && from == j.request.from && to != from:
		j.refuse("ToUserName and FromUserName are swapped: a reply goes to the user, from the account")
	default:
		if to != j.request.from {
			j.refuse("ToUserName is not the user's openid, the callback's FromUserName")
		}
		switch from {
		case j.request.to:
		case j.account.AppID:
			j.refuse("FromUserName is the AppID; it must be the account's original id, the callback's ToUserName")
		default:
			j.refuse("FromUserName is not the account's original id, the callback's ToUserName")
		}
	}
	if created := j.leaf(root, "", "CreateTime", true); created != "" {
		j.seconds("", "CreateTime", created)
	}
	kind := j.leaf(root, "", "MsgType", true)
	if kind == "" {
		return
	}
	j.field("MsgType", kind)
	switch s, ok := shapes[kind]; {
	case kind == "text":
		j.text(root)
	case kind == "news":
		j.news(root)
	case !ok:
		j.refuse("MsgType is %q, which is none of the seven passive replies", clip(kind, 40))
	default:
		if box := j.child(root, "", s.box, len(s.required) > 0); box != nil {
			j.noText(box, s.box)
			j.leaves(box, s.box+".", s)
		}
	}
}

// hidden reports whether the reply answers an event whose answers WeChat shows to nobody, and warns of it.
func (j *judge) hidden() bool {
	if len(j.fields) == 0 || len(j.refused) > 0 || j.request.msgType != "event" || wechatv1.EventReplyOf(j.request.event).Shown() {
		return false
	}
	j.warn("accepted, but not shown: WeChat shows no answer to %s", clip(j.request.event, 40))
	return true
}

func (j *judge) text(root *node) {
	content := j.leaf(root, "", "Content", true)
	j.field("Content", content)
	switch {
	case len(content) > maxText:
		j.refuse("Content has %d bytes; %d are the most", len(content), maxText)
	case content != "" && strings.TrimSpace(content) == "": // platform.md D wants it not empty, and no source tells of blanks
		j.warn("Content is nothing but blanks; WeChat may take it for an empty one, which it refuses")
	}
}

func (j *judge) news(root *node) {
	count := j.leaf(root, "", "ArticleCount", true)
	j.field("ArticleCount", count)
	box := j.child(root, "", "Articles", true)
	if box == nil {
		return
	}
	j.noText(box, "Articles")
	items := slices.DeleteFunc(slices.Clone(box.children), func(n *node) bool { return n.name != "item" })
	if count != "" && count != strconv.Itoa(len(items)) {
		j.refuse("ArticleCount is not the number of items, which is %d", len(items))
	}
	if len(items) == 0 {
		j.refuse("Articles holds no <item>")
	}
	for i, item := range j.shownArticles(items) {
		at := fmt.Sprintf("Articles[%d]", i)
		j.noText(item, at)
		j.leaves(item, at+".", shape{required: []string{"Title"}, optional: []string{"Description", "PicUrl", "Url"}})
	}
}

// shownArticles returns the articles that WeChat shows: it drops the surplus (platform.md D).
func (j *judge) shownArticles(items []*node) []*node {
	switch {
	case len(items) > 1 && j.request.msgType != "event":
		j.warn("%d articles in the answer to a user's message; WeChat shows the first, and drops the others", len(items))
		return items[:1]
	case len(items) > maxArticles:
		j.warn("%d articles; WeChat shows the first %d, and drops the others", len(items), maxArticles)
		return items[:maxArticles]
	}
	return items
}

// leaves judges the children that s names and collects them.
func (j *judge) leaves(parent *node, at string, s shape) {
	for _, name := range s.required {
		j.field(at+name, j.leaf(parent, at, name, true))
	}
	for _, name := range s.optional {
		j.field(at+name, j.leaf(parent, at, name, false))
	}
}

func (j *judge) field(name, value string) {
	if value != "" {
		j.fields = append(j.fields, Field{name, value})
	}
}

// child returns parent's only child of that name; nil, and refused where it is required, without one.
func (j *judge) child(parent *node, at, name string, required bool) *node {
	var found, alike *node
	for _, n := range parent.children {
		switch {
		case n.name != name:
			if strings.EqualFold(n.name, name) {
				alike = n
			}
		case found != nil:
			j.refuse("%s%s occurs twice", at, name)
			return found
		default:
			found = n
		}
	}
	switch {
	case found != nil:
	case alike != nil:
		j.refuse("%s%s is written <%s>; the case counts", at, name, alike.name)
	case required:
		j.refuse("%s%s is missing", at, name)
	}
	return found
}

// leaf returns the text of parent's only child of that name; "" without one.
func (j *judge) leaf(parent *node, at, name string, required bool) string {
	n := j.child(parent, at, name, required)
	if n == nil {
		return ""
	}
	text := string(n.text)
	switch {
	case len(n.children) > 0:
		j.refuse("%s%s holds elements, not text", at, name)
		return ""
	case n.cdata && n.blank:
		j.refuse("%s%s has blanks around its CDATA", at, name)
	// Only what is shown to the user may begin or end with a blank.
	case text != strings.TrimSpace(text) && !slices.Contains([]string{"Content", "Title", "Description"}, name):
		j.refuse("%s%s begins or ends with a blank", at, name)
	case text == "" && required:
		j.refuse("%s%s is empty", at, name)
	}
	return text
}

func (j *judge) noText(n *node, where string) {
	if len(bytes.TrimSpace(n.text)) > 0 {
		j.refuse("text stands between the elements of %s", where)
	}
}

// seconds judges a time. What is above 1e11 can only be milliseconds: as seconds it is after the year 5000.
func (j *judge) seconds(at, name, text string) {
	text = strings.TrimSpace(text)
	switch n, err := strconv.ParseInt(text, 10, 64); {
	case err != nil || strings.Trim(text, "0123456789") != "":
		j.refuse("%s%s is no integer", at, name)
	case n >= 1e11:
		j.refuse("%s%s is in milliseconds; it must be in seconds", at, name)
	}
}
