package fakewechat

import (
	"fmt"

	"wxgate/fakewechat/sender"
)

// slot is a place in a customer-service message: a text, or a list where it has items.
type slot struct {
	name    string
	missing int // errcode for an empty one; 0: it may be empty
	most    int // bytes of a text, items of a list; 0: any number
	tooMuch int // errcode for more
	items   []slot
}

// customTypes are the msgtypes of an official account.
var customTypes = map[string][]slot{
	"text":          {{name: "content", missing: 44004, most: sender.MaxText, tooMuch: 45002}},
	"image":         {mediaID},
	"voice":         {mediaID},
	"video":         {mediaID, {name: "thumb_media_id"}, {name: "title"}, {name: "description"}},
	"music":         {{name: "title"}, {name: "description"}, required("musicurl"), required("hqmusicurl"), thumbMediaID},
	"mpnews":        {mediaID},
	"mpnewsarticle": {required("article_id")},
	"wxcard":        {required("card_id")},
	"news": {{name: "articles", missing: 44003, most: 1, tooMuch: 45008, items: []slot{
		{name: "title"}, {name: "description"}, {name: "url"}, {name: "picurl"},
	}}},
	"msgmenu": {
		{name: "head_content"},
		{name: "list", missing: 40035, items: []slot{required("id"), required("content")}},
		{name: "tail_content"},
	},
	"miniprogrampage": {required("title"), required("appid"), required("pagepath"), thumbMediaID},
}

var (
	mediaID      = slot{name: "media_id", missing: 40007}
	thumbMediaID = slot{name: "thumb_media_id", missing: 40007}
)

func required(name string) slot { return slot{name: name, missing: 40035} }

// readCustom reads a customer-service message, or returns the errcode with which it is refused.
func readCustom(body object) (m CustomMessage, errcode int) {
	var service, content object
	if !body.read("touser", &m.To) || !body.read("msgtype", &m.Type) ||
		!body.read("customservice", &service) || !service.read("kf_account", &m.Account) {
		return m, 47001
	}
	slots, known := customTypes[m.Type]
	switch {
	case m.To == "":
		return m, 40003
	case !known:
		return m, 40008
	case !body.read(m.Type, &content):
		return m, 47001
	}
	m.Fields, errcode = content.fill(slots, "")
	return m, errcode
}

// fill reads the slots in their order; names of fields begin with at.
func (o object) fill(slots []slot, at string) (fields []sender.Field, errcode int) {
	for _, s := range slots {
		var text string
		var list []object
		size := 0
		switch {
		case s.items == nil && o.read(s.name, &text):
			size = len(text)
		case s.items != nil && o.read(s.name, &list):
			size = len(list)
		default:
			return nil, 47001
		}
		switch {
		case size == 0 && s.missing != 0:
			return nil, s.missing
		case s.most > 0 && size > s.most:
			return nil, s.tooMuch
		case text != "":
			fields = append(fields, sender.Field{Name: at + s.name, Value: text})
		}
		for i, item := range list {
			more, errcode := item.fill(s.items, fmt.Sprintf("%s%s[%d].", at, s.name, i))
			if errcode != 0 {
				return nil, errcode
			}
			fields = append(fields, more...)
		}
	}
	return fields, 0
}
