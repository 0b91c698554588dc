package service

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFindingsOnlyRegularFilesAreRead: a pipe that nobody writes to, a device without an end and the like are errors at once.
func TestFindingsOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	good, pipe, link := filepath.Join(dir, "good"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := os.WriteFile(good, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(good, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		good: "", link: "",
		dir:                         "open " + dir + ": is a directory; expected a regular file",
		pipe:                        "open " + pipe + ": is a pipe; expected a regular file",
		"/dev/zero":                 "open /dev/zero: is a device; expected a regular file",
		filepath.Join(dir, "none"):  "open " + filepath.Join(dir, "none") + ": no such file or directory",
		filepath.Join(good, "none"): "open " + filepath.Join(good, "none") + ": not a directory",
	} {
		content, err := ReadRegular(path)
		var inPath *fs.PathError
		switch {
		case want == "" && (err != nil || string(content) != "content"):
			t.Errorf("%s: %q, %v", path, content, err)
		case want != "" && (err == nil || err.Error() != want || !errors.As(err, &inPath)):
			t.Errorf("%s: %q, %v; want %s", path, content, err, want)
		}
	}
	t.Setenv("WECHAT_TOKEN", "")
	t.Setenv("WECHAT_TOKEN_FILE", pipe)
	if err := LoadEnv("WECHAT_TOKEN"); err == nil || !strings.Contains(err.Error(), "is a pipe") {
		t.Errorf("a secret's file: %v", err)
	}
	if _, err := (TLSFlags{TLSCert: pipe, TLSKey: pipe, TLSCA: pipe}).readFiles(); err == nil || strings.Count(err.Error(), "is a pipe") != 3 {
		t.Errorf("certificates: %v", err)
	}
}
