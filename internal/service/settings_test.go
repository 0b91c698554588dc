package service

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretHidden: no way of printing shows a secret, also not one inside something else.
func TestSecretHidden(t *testing.T) {
	const value = "hunter2"
	secret := Secret(value)
	type inner struct {
		Key  Secret `json:"key"`
		Refs []Secret
	}
	nested := struct {
		Name   string
		Token  Secret
		Inner  inner
		ByName map[string]Secret
		Any    any
	}{
		"n", secret, inner{secret, []Secret{secret}}, map[string]Secret{"a": secret}, secret,
	}
	check := func(how, printed string) {
		t.Helper()
		// In hexadecimal and in decimal bytes it is shown no less.
		for _, shown := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), "104 117 110"} {
			if strings.Contains(printed, shown) {
				t.Errorf("%s shows the secret: %s", how, printed)
			}
		}
		if !strings.Contains(printed, hidden) {
			t.Errorf("%s does not say that something is hidden: %s", how, printed)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%20s"} {
		check(verb, fmt.Sprintf(verb, secret))
		check(verb+" nested", fmt.Sprintf(verb, nested))
	}
	check("Sprint", fmt.Sprint("a", secret))
	check("Errorf", fmt.Errorf("token %v", secret).Error())
	for name, v := range map[string]any{"alone": secret, "nested": nested, "pointer": &nested, "list": []any{secret}} {
		var b strings.Builder
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
		check("slog text, "+name, b.String())
		b.Reset()
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
		check("slog JSON, "+name, b.String())
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		check("json, "+name, string(encoded))
	}
	if secret.Reveal() != value {
		t.Errorf("Reveal gives %q", secret.Reveal())
	}
}
