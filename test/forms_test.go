package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	wechatv1 "wxgate/proto/wechat/v1"
	"wxgate/test/testproc"
)

// formField is a field of a form of the fake platform.
type formField struct {
	Name, Type string
	Repeated   bool
	Fields     []formField
}

// filled fills a form.
func filled(fields []formField) map[string]any {
	values := map[string]any{}
	for _, f := range fields {
		var value any = "1"
		switch f.Type {
		case "message":
			value = filled(f.Fields)
		case "bool":
			value = true
		}
		if values[f.Name] = value; f.Repeated {
			values[f.Name] = []any{value, value}
		}
	}
	return values
}

// TestForms: a whole wxgate understands every kind that the fake platform can send, and all that is in it.
func TestForms(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	const reply = "    reply: {text: '{{ message.msg_type }} {{ message.event.event }} {{ message.extra.size() }}'}\n"
	// Many events are answered only by a rule that names them.
	text := "rules:\n  - name: events\n    match: {event: [" + strings.Join(wechatv1.EventNames(), ", ") + "]}\n" + reply + "  - name: all\n" + reply
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, testproc.Env(), "dev", "--rules", rules)
	fake := p.Addr("fake-listen")
	resp, err := http.Get("http://" + fake + "/fake/kinds")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var forms struct {
		Kinds []struct {
			Name   string
			Event  bool
			Fields []formField
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&forms); err != nil || len(forms.Kinds) < 80 {
		t.Fatalf("%d forms, %v", len(forms.Kinds), err)
	}
	for _, kind := range forms.Kinds {
		message, err := json.Marshal(map[string]any{"message": filled(kind.Fields)})
		if err != nil {
			t.Fatal(err)
		}
		var answer outcome
		steer(t, fake, "POST", "messages", string(message), &answer)
		want := kind.Name + "  0"
		if kind.Event {
			want = fmt.Sprintf("event %s 0", kind.Name)
		}
		if kind.Event && wechatv1.EventReplyOf(kind.Name) == wechatv1.ReplyInvalid {
			want = "" // unsubscribe: nothing is ever sent
		}
		if got := answer.Reply["Content"]; got != want || len(answer.Refused) > 0 {
			t.Errorf("%s: got %q, refused %q; want %q", kind.Name, got, strings.Join(answer.Refused, ", "), want)
		}
	}
}
