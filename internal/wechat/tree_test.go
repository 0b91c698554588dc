package wechat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	wechatv1 "wxgate/proto/wechat/v1"
)

// xmlBlanks is white space to XML.
const xmlBlanks = " \t\r\n"

// stdTree reads body with encoding/xml, the independent reader that ours is compared with. Like ours it drops blanks
// between child elements; it refuses directives, and text outside the root element.
func stdTree(body []byte) (*wechatv1.Element, error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	var open []*wechatv1.Element
	for {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			e := &wechatv1.Element{Name: t.Name.Local}
			if len(open) > 0 {
				parent := open[len(open)-1]
				parent.Children = append(parent.Children, e)
			}
			open = append(open, e)
		case xml.EndElement:
			e := open[len(open)-1]
			if len(e.Children) > 0 && strings.Trim(e.Text, xmlBlanks) == "" {
				e.Text = ""
			}
			open = open[:len(open)-1]
			if len(open) == 0 {
				return e, nil
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].Text += string(t)
			} else if strings.Trim(string(t), xmlBlanks+"\uFEFF") != "" {
				return nil, errors.New("text outside the root element")
			}
		case xml.Directive:
			return nil, errors.New("a directive")
		}
	}
}

// sample returns a file of testdata/samples.
func sample(t testing.TB, name ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata", "samples"}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inbound returns the names of testdata/samples/inbound.
func inbound(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "samples", "inbound", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	return files
}
