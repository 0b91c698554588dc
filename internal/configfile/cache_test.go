package configfile

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCacheOpensOnce: loads with one cache have the content of the first, also when the file is gone, and see that it changed.
func TestCacheOpensOnce(t *testing.T) {
	path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
	cache := &Cache{}
	first := cache.NewLoad()
	first.OpenYAML(path)
	if first.Err() != nil {
		t.Fatal(first.Err())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]*Load{"another load": cache.NewLoad(), "its part": cache.NewLoad().NewPart()} {
		d := load.OpenYAML(path)
		if load.Err() != nil {
			t.Fatalf("%s: %v", name, load.Err())
		}
		if diff := cmp.Diff([]string{"a"}, names(d)); diff != "" || load.Hash() != first.Hash() || !load.HasChanged() {
			t.Errorf("%s: hash %s, want %s; changed: %t; names (-want +got):\n%s", name, load.Hash(), first.Hash(), load.HasChanged(), diff)
		}
	}
	if load := (&Load{}); load.OpenYAML(path) != nil {
		t.Error("a load without the cache reads a file that is gone")
	}
}

// TestCacheKeepsNoErrors: a file that could not be read is read again, and the size of what is read counts for each load.
func TestCacheKeepsNoErrors(t *testing.T) {
	dir, cache := t.TempDir(), &Cache{}
	if load := cache.NewLoad(); load.OpenYAML(dir+"/f.yaml") != nil {
		t.Error("a file that is missing was read")
	}
	path := put(t, dir, "f.yaml", "things: []")
	if load := cache.NewLoad(); load.OpenYAML(path) == nil {
		t.Errorf("a file that appeared: %v", load.Err())
	}
	if _, err := (&Load{cache: cache, size: MaxSize}).ReadFile(path); err == nil {
		t.Error("a load that is full reads on from the cache")
	}
}
