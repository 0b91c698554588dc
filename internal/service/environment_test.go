package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadEnv(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	missing := filepath.Join(dir, "missing")
	good := file("good", "s3cret")
	large := file("large", strings.Repeat("x", MaxSecretFile+1))
	nul := file("nul", "s3\x00cret")
	for _, tt := range []struct {
		name    string
		env     map[string]string
		want    map[string]string // of WECHAT_TOKEN and WECHAT_APP_SECRET; what is not in it must be unset
		wantErr string
	}{
		{name: "nothing set", env: map[string]string{}},
		{
			name: "values are kept", env: map[string]string{"WECHAT_TOKEN": " t ", "WECHAT_APP_SECRET": "s"},
			want: map[string]string{"WECHAT_TOKEN": " t ", "WECHAT_APP_SECRET": "s"},
		},
		{name: "empty is unset", env: map[string]string{"WECHAT_TOKEN": "", "WECHAT_TOKEN_FILE": ""}},
		{name: "file", env: map[string]string{"WECHAT_TOKEN_FILE": good}, want: map[string]string{"WECHAT_TOKEN": "s3cret"}},
		{
			name: "file, the variable empty", env: map[string]string{"WECHAT_TOKEN": "", "WECHAT_TOKEN_FILE": good},
			want: map[string]string{"WECHAT_TOKEN": "s3cret"},
		},
		{
			name: "newlines at the end", env: map[string]string{"WECHAT_TOKEN_FILE": file("newline", " a\nb \r\n\n")},
			want: map[string]string{"WECHAT_TOKEN": " a\nb "},
		},
		{
			name: "largest", env: map[string]string{"WECHAT_TOKEN_FILE": file("largest", strings.Repeat("x", MaxSecretFile))},
			want: map[string]string{"WECHAT_TOKEN": strings.Repeat("x", MaxSecretFile)},
		},
		{name: "empty file", env: map[string]string{"WECHAT_TOKEN_FILE": file("empty", "")}},
		{name: "file of a newline", env: map[string]string{"WECHAT_TOKEN_FILE": file("blank", "\r\n")}},
		{
			name: "both", env: map[string]string{"WECHAT_TOKEN": "t", "WECHAT_TOKEN_FILE": good},
			want:    map[string]string{"WECHAT_TOKEN": "t"},
			wantErr: "WECHAT_TOKEN and WECHAT_TOKEN_FILE are both set; set only one of them",
		},
		{name: "directory", env: map[string]string{"WECHAT_TOKEN_FILE": dir}, wantErr: "WECHAT_TOKEN_FILE: open " + dir + ": is a directory; expected a regular file"},
		{
			name: "quotes", env: map[string]string{"WECHAT_TOKEN": `"t"`, "WECHAT_APP_SECRET_FILE": file("quoted", "'s3cret'\n")},
			want: map[string]string{"WECHAT_TOKEN": "t", "WECHAT_APP_SECRET": "s3cret"},
			wantErr: "WECHAT_TOKEN: " + quotesKept + "\n" +
				"WECHAT_APP_SECRET_FILE: " + filepath.Join(dir, "quoted") + ": " + quotesKept,
		},
		{
			name: "no pair of quotes", env: map[string]string{"WECHAT_TOKEN": `"t'`, "WECHAT_APP_SECRET": `"`},
			want: map[string]string{"WECHAT_TOKEN": `"t'`, "WECHAT_APP_SECRET": `"`},
		},
		{name: "quotes around nothing", env: map[string]string{"WECHAT_TOKEN": `""`}, wantErr: "WECHAT_TOKEN: " + quotesKept},
		{name: "too large", env: map[string]string{"WECHAT_TOKEN_FILE": large}, wantErr: "WECHAT_TOKEN_FILE: " + large + " has 65537 bytes; a secret may have at most 65536"},
		{name: "a zero byte", env: map[string]string{"WECHAT_TOKEN_FILE": nul}, wantErr: "WECHAT_TOKEN_FILE: " + nul + " contains a zero byte, which a secret cannot have"},
		{
			name: "all errors at once", env: map[string]string{"WECHAT_TOKEN_FILE": missing, "WECHAT_APP_SECRET_FILE": dir},
			wantErr: "WECHAT_TOKEN_FILE: open " + missing + ": no such file or directory\n" +
				"WECHAT_APP_SECRET_FILE: open " + dir + ": is a directory; expected a regular file",
		},
		{
			name: "one of two", env: map[string]string{"WECHAT_TOKEN_FILE": missing, "WECHAT_APP_SECRET_FILE": good},
			want:    map[string]string{"WECHAT_APP_SECRET": "s3cret"},
			wantErr: "WECHAT_TOKEN_FILE: open " + missing + ": no such file or directory",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			secrets := []string{"WECHAT_TOKEN", "WECHAT_APP_SECRET"}
			for _, name := range append([]string{"WECHAT_TOKEN_FILE", "WECHAT_APP_SECRET_FILE"}, secrets...) {
				setenv(t, name, tt.env)
			}
			gotErr := ""
			if err := LoadEnv(secrets...); err != nil {
				gotErr = err.Error()
			}
			if diff := cmp.Diff(tt.wantErr, gotErr); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			got := map[string]string{}
			for _, name := range secrets {
				if value, ok := os.LookupEnv(name); ok {
					got[name] = value
				}
			}
			if tt.want == nil {
				tt.want = map[string]string{}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoadEnvOthers: an empty variable of ours is unset, another's is left alone.
func TestLoadEnvOthers(t *testing.T) {
	env := map[string]string{"WECHAT_MODE": "", "WXGATE_LISTEN": "", "WXGATE_RULES": "r", "OTHER_WECHAT_": ""}
	for name := range env {
		setenv(t, name, env)
	}
	if err := LoadEnv(); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for name := range env {
		_, got[name] = os.LookupEnv(name)
	}
	want := map[string]bool{"WECHAT_MODE": false, "WXGATE_LISTEN": false, "WXGATE_RULES": true, "OTHER_WECHAT_": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
}

// setenv gives a variable its value in env, or none, until the test ends.
func setenv(t *testing.T, name string, env map[string]string) {
	t.Helper()
	value, ok := env[name]
	t.Setenv(name, value) // notes what was, also where it is unset now
	if ok {
		return
	}
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}
