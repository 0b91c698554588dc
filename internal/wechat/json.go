package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// parseJSON reads a callback in the JSON form, which the platform's pages show for encrypted pushes and mini programs
// get: each member is an element, an array is an element for each item. An object that has neither ToUserName nor
// Encrypt is no callback.
func parseJSON(body []byte) (*Document, error) {
	r := jsonReader{d: newDocument(""), body: body}
	r.d.nodes = append(r.d.nodes, node{name: r.d.keep(rootName, -1)})
	r.dec = json.NewDecoder(bytes.NewReader(escapeControls(body)))
	r.dec.UseNumber()
	if err := r.object(0); err != nil {
		return nil, err
	}
	for _, name := range []string{"ToUserName", "Encrypt"} {
		if _, ok := r.d.Text(name); ok {
			return r.d, nil
		}
	}
	r.dec = json.NewDecoder(bytes.NewReader(nil)) // the position is the object's begin
	return nil, r.fail("the object has neither ToUserName nor Encrypt")
}

type jsonReader struct {
	d     *Document
	body  []byte
	dec   *json.Decoder
	depth int
}

// object reads an object into the children of node i.
func (r *jsonReader) object(i int) error {
	if i == 0 {
		if _, err := r.token(); err != nil {
			return err
		}
	}
	for {
		t, err := r.token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok { // the closing brace
			r.d.nodes[i].end = int32(len(r.d.nodes))
			return nil
		}
		if !isName(name) {
			return r.fail("a member's name is no element's name")
		}
		if err := r.value(name); err != nil {
			return err
		}
	}
}

// value reads a value into an element called name, or several.
func (r *jsonReader) value(name string) error {
	t, err := r.token()
	if err != nil {
		return err
	}
	if t == json.Delim('[') {
		if r.depth++; r.depth > maxDepth {
			return r.fail("arrays nest too deep")
		}
		defer func() { r.depth-- }()
		for r.dec.More() {
			if err := r.value(name); err != nil {
				return err
			}
		}
		_, err := r.token()
		return err
	}
	i := len(r.d.nodes)
	if i > maxElements {
		return r.fail("too many members")
	}
	r.d.nodes = append(r.d.nodes, node{name: r.d.keep(name, -1), end: int32(i + 1)})
	switch t := t.(type) {
	case json.Delim:
		if r.depth++; r.depth >= maxDepth {
			return r.fail("objects nest too deep")
		}
		defer func() { r.depth-- }()
		return r.object(i)
	case nil:
	default:
		r.d.nodes[i].text = r.d.keep(fmt.Sprint(t), -1)
	}
	return nil
}

func (r *jsonReader) token() (json.Token, error) {
	t, err := r.dec.Token()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, r.fail("the document ends inside an object")
	case err != nil:
		return nil, r.fail("not JSON")
	}
	return t, nil
}

// fail tells the position that was reached; where control characters were escaped, the body's end at most.
func (r *jsonReader) fail(problem string) error {
	return syntaxError("JSON", string(r.body[:min(int(r.dec.InputOffset()), len(r.body))]), problem)
}

// escapeControls escapes what stands in a string and may not: one odd character must not cost a message.
func escapeControls(body []byte) []byte {
	if bytes.IndexFunc(body, func(c rune) bool { return c < ' ' }) < 0 {
		return body
	}
	var out []byte
	inString, escaped := false, false
	for _, c := range body {
		switch {
		case inString && c < ' ':
			out = fmt.Appendf(out, `\u%04x`, c)
			continue
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
		out = append(out, c)
	}
	return out
}
