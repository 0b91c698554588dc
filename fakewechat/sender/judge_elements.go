package sender

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// onlyChild returns parent's only child of that name, or nil. A child that is required and missing is refused.
func (j *judge) onlyChild(parent *xmlNode, at, name string, needed bool) *xmlNode {
	var found, alike *xmlNode
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
	case needed:
		j.refuse("%s%s is missing", at, name)
	}
	return found
}

// leafText returns the text of parent's only child of that name, or "".
func (j *judge) leafText(parent *xmlNode, at, name string, needed bool) string {
	n := j.onlyChild(parent, at, name, needed)
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
	// Only texts that are shown to the user may begin or end with a blank.
	case text != strings.TrimSpace(text) && !slices.Contains([]string{"Content", "Title", "Description"}, name):
		j.refuse("%s%s begins or ends with a blank", at, name)
	case text == "" && needed:
		j.refuse("%s%s is empty", at, name)
	}
	return text
}

// refuseText refuses text between the children of an element.
func (j *judge) refuseText(n *xmlNode, place string) {
	if len(bytes.TrimSpace(n.text)) > 0 {
		j.refuse("text stands between the elements of %s", place)
	}
}

// judgeSeconds judges a time. A number above 1e11 can only be milliseconds: as seconds it would be after the year 5000.
func (j *judge) judgeSeconds(at, name, text string) {
	text = strings.TrimSpace(text)
	switch n, err := strconv.ParseInt(text, 10, 64); {
	case err != nil || strings.Trim(text, "0123456789") != "":
		j.refuse("%s%s is not an integer", at, name)
	case n >= 1e11:
		j.refuse("%s%s is in milliseconds; it must be in seconds", at, name)
	}
}
