package configfile

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFindingsManyFilesAreLookedAtLessOften: 2,000 files cost as many looks a second as 100 do, and a change of one is
// loaded in seconds all the same.
func TestFindingsManyFilesAreLookedAtLessOften(t *testing.T) {
	for files, want := range map[int]time.Duration{0: Every, 1: Every, 100: Every, 101: Every * 101 / 100, 2000: 4 * time.Second} {
		if got := lookAgain(files); got != want {
			t.Errorf("%d files are left alone for %s, want %s", files, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
		f := open(t, func(l *Load, before []string) []string {
			for range 1999 {
				_, _ = l.ReadFile(path)
			}
			return fromFile(path)(l, before)
		})
		f.write(path, "things: [{name: b}]")
		time.Sleep(4*time.Second + Every/2)
		synctest.Wait()
		if v := f.Version(); v.Number != 1 {
			t.Errorf("version %d, loaded before the second look", v.Number)
		}
		time.Sleep(Every)
		synctest.Wait()
		f.expect("b", "", 2)
	})
}

// TestFindingsNamesThatCameAndWent: the log says which names a file has more or less than before.
func TestFindingsNamesThatCameAndWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}, {name: b}]")
		set := func(names []string) map[string]int {
			all := map[string]int{}
			for i, name := range names {
				all[name] = i
			}
			return all
		}
		f := open(t, func(l *Load, before []string) []string {
			now := fromFile(path)(l, before)
			if before != nil {
				NoteNames(l, set(before), set(now))
			}
			return now
		})
		if log := f.log.String(); strings.Contains(log, "added") {
			t.Errorf("something is new at the first load: %s", log)
		}
		f.write(path, "things: [{name: b}, {name: c}]")
		f.expect("b c", "", 2)
		if log := f.log.String(); !strings.Contains(log, "added=[c] removed=[a]\n") {
			t.Errorf("got %s", log)
		}
		var many strings.Builder
		for i := range 30 {
			fmt.Fprintf(&many, "{name: n%02d}, ", i)
		}
		f.log.Reset()
		f.write(path, "things: ["+many.String()+"{name: b}, {name: c}]")
		f.looks(2)
		if log := f.log.String(); !strings.Contains(log, `n18 n19 and 10 more]`) || strings.Contains(log, "removed") {
			t.Errorf("got %s", log)
		}
	})
}
