package sender

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsRenewedCallbackIsNew: it differs in MsgId and CreateTime, and in nothing else.
func TestFindingsRenewedCallbackIsNew(t *testing.T) {
	const old = "<CreateTime>%d</CreateTime>"
	for _, test := range []struct{ name, callback, want string }{
		{"a message", "<xml><CreateTime>1</CreateTime>\n<MsgId>77</MsgId></xml>", "<xml><CreateTime>1767225600</CreateTime>\n<MsgId>NEW</MsgId></xml>"},
		{"in CDATA", "<xml><MsgId><![CDATA[77]]></MsgId></xml>", "<xml><MsgId>NEW</MsgId></xml>"},
		{"two", "<xml><MsgId>1</MsgId><MsgId>2</MsgId></xml>", "<xml><MsgId>NEW</MsgId><MsgId>NEW</MsgId></xml>"},
		{"an empty one", "<xml><MsgId></MsgId><MsgId/></xml>", "<xml><MsgId>NEW</MsgId><MsgId/></xml>"},
		{"a job's result has a message's id", "<xml><MsgID>77</MsgID></xml>", "<xml><MsgID>77</MsgID></xml>"},
		{"a text of the user's, and what is in another element", "<xml><Content><![CDATA[<MsgId>1</MsgId>]]></Content><a><MsgId>1</MsgId></a></xml>",
			"<xml><Content><![CDATA[<MsgId>1</MsgId>]]></Content><a><MsgId>1</MsgId></a></xml>"},
		{"control characters stay", "<xml><Content>a\x08\uFFFFb</Content><MsgId>1</MsgId></xml>", "<xml><Content>a\x08\uFFFFb</Content><MsgId>NEW</MsgId></xml>"},
		{"invalid UTF-8 stays", "<xml><Content>a\xFFb</Content><MsgId>1</MsgId></xml>", "<xml><Content>a\xFFb</Content><MsgId>NEW</MsgId></xml>"},
		{"an event of this second", "<xml>" + fmt.Sprintf(old, at.Unix()) + "</xml>", "<xml>" + fmt.Sprintf(old, at.Unix()+1) + "</xml>"},
		{"one that was made later than its second", "<xml>" + fmt.Sprintf(old, at.Unix()+3) + "</xml>", "<xml>" + fmt.Sprintf(old, at.Unix()+4) + "</xml>"},
		{"one of the future", "<xml>" + fmt.Sprintf(old, at.Unix()+3600) + "</xml>", "<xml>" + fmt.Sprintf(old, at.Unix()) + "</xml>"},
		{"broken", "<xml><MsgId>1</MsgId>", "<xml><MsgId>1</MsgId>"},
		{"not XML", "hello", "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := string(RenewCallback([]byte(test.callback), at))
			if diff := cmp.Diff(test.want, regexp.MustCompile(`(<MsgId>)\d{17,19}<`).ReplaceAllString(got, "${1}NEW<")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzRenewCallback(f *testing.F) {
	f.Add([]byte("<xml><CreateTime>1</CreateTime><MsgId>77</MsgId></xml>"))
	f.Add([]byte("<xml><MsgId/><a><MsgId>1</MsgId></a>\x08</xml>"))
	f.Add([]byte("<xml>\uFFFF<MsgId><![CDATA[]]><b/></MsgId></xml>"))
	f.Fuzz(func(t *testing.T, callback []byte) {
		before, err := ReadElements(callback)
		renewed := RenewCallback(callback, at)
		if err != nil {
			if !bytes.Equal(renewed, callback) {
				t.Errorf("%q became %q", callback, renewed)
			}
			return
		}
		after, err := ReadElements(renewed)
		if err != nil {
			t.Fatalf("%q became %q: %v", callback, renewed, err)
		}
		others := func(fields []Field) (kept []Field) {
			for _, field := range fields {
				if field.Name != "MsgId" && field.Name != "CreateTime" {
					kept = append(kept, field)
				}
			}
			return kept
		}
		if diff := cmp.Diff(others(before), others(after)); diff != "" {
			t.Errorf("%q became %q (-before +after):\n%s", callback, renewed, diff)
		}
	})
}
