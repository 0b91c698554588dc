package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// parseJSON parses a callback in the JSON form. The platform's pages show it for encrypted pushes, and mini programs get it.
// Each member becomes an element, and each item of an array too. An object that has neither ToUserName nor Encrypt is not a
// callback.
func parseJSON(body []byte) (*Document, error) {
	r := jsonReader{d: newDocument(""), body: body}
	r.d.nodes = append(r.d.nodes, node{name: r.d.keepText(rootName, -1)})
	r.dec = json.NewDecoder(bytes.NewReader(escapeControls(body)))
	r.dec.UseNumber()
	if err := r.readObject(0); err != nil {
		return nil, err
	}
	for _, name := range []string{"ToUserName", "Encrypt"} {
		if _, ok := r.d.Text(name); ok {
			return r.d, nil
		}
	}
	r.dec = json.NewDecoder(bytes.NewReader(nil)) // so that the error's position is the start of the object
	return nil, r.syntaxFail("the object has neither ToUserName nor Encrypt")
}

type jsonReader struct {
	d     *Document
	body  []byte
	dec   *json.Decoder
	depth int
}

// readObject reads an object into the children of node i.
func (r *jsonReader) readObject(i int) error {
	if i == 0 {
		if _, err := r.readToken(); err != nil {
			return err
		}
	}
	for {
		t, err := r.readToken()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok { // the closing brace
			r.d.nodes[i].end = int32(len(r.d.nodes))
			return nil
		}
		if !isName(name) {
			return r.syntaxFail("the name of a member is not an element's name")
		}
		if err := r.readValue(name); err != nil {
			return err
		}
	}
}

// readValue reads a value into one or several elements called name.
func (r *jsonReader) readValue(name string) error {
	t, err := r.readToken()
	if err != nil {
		return err
	}
	if t == json.Delim('[') {
		if r.depth++; r.depth > maxDepth {
			return r.syntaxFail("arrays nest too deep")
		}
		defer func() { r.depth-- }()
		for r.dec.More() {
			if err := r.readValue(name); err != nil {
				return err
			}
		}
		_, err := r.readToken()
		return err
	}
	i := len(r.d.nodes)
	if i > maxElements {
		return r.syntaxFail("too many members")
	}
	r.d.nodes = append(r.d.nodes, node{name: r.d.keepText(name, -1), end: int32(i + 1)})
	switch t := t.(type) {
	case json.Delim:
		if r.depth++; r.depth >= maxDepth {
			return r.syntaxFail("objects nest too deep")
		}
		defer func() { r.depth-- }()
		return r.readObject(i)
	case nil:
	default:
		r.d.nodes[i].text = r.d.keepText(fmt.Sprint(t), -1)
	}
	return nil
}

func (r *jsonReader) readToken() (json.Token, error) {
	t, err := r.dec.Token()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, r.syntaxFail("the document ends inside an object")
	case err != nil:
		return nil, r.syntaxFail("not JSON")
	}
	return t, nil
}

// syntaxFail returns an error with the current position. If control characters were escaped, the position may be too far on,
// but not after the body's end.
func (r *jsonReader) syntaxFail(problem string) error {
	return syntaxError("JSON", string(r.body[:min(int(r.dec.InputOffset()), len(r.body))]), problem)
}

// escapeControls escapes control characters in strings, which JSON forbids: one odd character must not cost a message.
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
