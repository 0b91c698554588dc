package configfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// put writes a file of the test's directory and returns its path.
func put(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.yaml")
	for path, want := range map[string]string{
		missing: missing + ": no such file or directory",
		dir:     dir + ": is a directory; expected a regular file",
	} {
		load := &Load{}
		if d := load.OpenYAML(path); d != nil || load.Err() == nil || load.Err().Error() != want {
			t.Errorf("got %v, %v; want %s", d, load.Err(), want)
		}
		if diff := cmp.Diff([]string{path}, load.FilePaths()); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff) // it is watched, and loaded once it is there
		}
	}
}

func TestOpen(t *testing.T) {
	path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
	load := &Load{}
	d := load.OpenYAML(path)
	if d == nil || d.FileName() != path {
		t.Fatalf("got %v, %v", d, load.Err())
	}
	if got := things(d); load.Err() != nil || len(got) != 1 || got[0].Name != "a" {
		t.Errorf("got %v, %v", got, load.Err())
	}
}

// The limit holds for all files of a load together.
func TestMaxSize(t *testing.T) {
	dir := t.TempDir()
	sized := func(name string, size int64) string {
		path := put(t, dir, name, "")
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	half, rest, one := sized("half", MaxSize/2), sized("rest", MaxSize-MaxSize/2), sized("one", 1)
	const want = "larger than 32 MiB, which is the most for a file and all that it includes"
	load := &Load{}
	for _, path := range []string{half, rest} {
		if data, err := load.ReadFile(path); err != nil || len(data) != MaxSize/2 {
			t.Fatalf("%s: %d bytes, %v", path, len(data), err)
		}
	}
	for range 2 {
		if data, err := load.ReadFile(one); err == nil || err.Error() != want || data != nil {
			t.Errorf("a byte more: %d bytes, %v; want %s", len(data), err, want)
		}
	}
	if _, err := (&Load{}).ReadFile(sized("all", MaxSize+1)); err == nil || err.Error() != want {
		t.Errorf("one file: %v; want %s", err, want)
	}
}

func TestHash(t *testing.T) {
	dir := t.TempDir()
	a, b, c := put(t, dir, "a", "1"), put(t, dir, "b", "2"), put(t, dir, "c", "1")
	hash := func(paths ...string) string {
		load := &Load{}
		for _, path := range paths {
			if _, err := load.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
		return load.Hash()
	}
	if hash(a, b) != hash(c, b) {
		t.Error("the hash is not of the contents alone")
	}
	for _, other := range []string{hash(a), hash(b, a), hash(a, b, c)} {
		if other == hash(a, b) || len(other) != 64 || strings.Trim(other, "0123456789abcdef") != "" {
			t.Errorf("hash %q; want another than that of a and b, in hex", other)
		}
	}
}

// The problems of a part do not refuse the whole.
func TestAdd(t *testing.T) {
	part := &Load{}
	part.Fail("part", "broken")
	part.Warn(Problem{File: "part", Text: "odd"})
	if _, err := part.ReadFile(put(t, t.TempDir(), "part", "x")); err != nil {
		t.Fatal(err)
	}
	load := &Load{}
	load.AddPart(part)
	if load.Err() != nil {
		t.Errorf("Err: %v", load.Err())
	}
	if diff := cmp.Diff(part.FilePaths(), load.FilePaths()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(part.Warnings(), load.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
