package configfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/service"
)

// live is a watched list of names: of a file, and where the file names a part, of that too.
type live struct {
	*Live[[]string]
	t      *testing.T
	env    service.Env
	log    *bytes.Buffer
	writes int
}

// names reads a document as a list of names.
func names(d *Document) []string {
	var all []string
	for _, one := range things(d) {
		all = append(all, one.Name)
	}
	return all
}

// open loads a file for the first time, and watches it until the test ends. All of it is for a synctest bubble.
func open(t *testing.T, load func(*Load, []string) []string) *live {
	t.Helper()
	f := &live{t: t, log: &bytes.Buffer{}}
	f.env = service.NewEnv(slog.New(slog.NewTextHandler(f.log, nil)))
	var err error
	if f.Live, err = Open("names", nil, load); err != nil {
		t.Fatal(err)
	}
	f.Register(f.env)
	ctx, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { f.Watch(ctx) })
	t.Cleanup(func() { stop(); watch.Wait() })
	return f
}

// fromFile returns the loader of one file.
func fromFile(path string) func(*Load, []string) []string {
	return func(l *Load, _ []string) []string {
		if d := l.OpenYAML(path); d != nil {
			return names(d)
		}
		return nil
	}
}

// write changes a file. Its time is a new one, however fast the test is.
func (f *live) write(path, text string) {
	f.t.Helper()
	put(f.t, filepath.Dir(path), filepath.Base(path), text)
	f.writes++
	at := time.Unix(1_800_000_000+int64(f.writes), 0)
	if err := os.Chtimes(path, at, at); err != nil {
		f.t.Fatal(err)
	}
}

// looks lets the watcher look at its files so often.
func (f *live) looks(times int) {
	time.Sleep(time.Duration(times) * Every)
	synctest.Wait()
}

// expect checks what is in use after a change; problem is a part of what is refused, "" where nothing is.
func (f *live) expect(want, problem string, number int) {
	f.t.Helper()
	f.looks(2)
	v := f.Version()
	if got := strings.Join(f.Value(), " "); got != want || v.Number != number {
		f.t.Errorf("version %d is %q; want version %d, %q", v.Number, got, number, want)
	}
	refused := 0.0
	switch err := f.ReloadError(); {
	case problem == "" && err != nil:
		f.t.Errorf("problem: %v", err)
	case problem != "":
		refused = 1
		if err == nil || !strings.HasPrefix(err.Error(), "rejected; keeping the previous version: ") || !strings.Contains(err.Error(), problem) {
			f.t.Errorf("problem: %v; want one with %q", err, problem)
		}
	}
	if got := f.metric("wxgate_config_refused", ""); got != refused {
		f.t.Errorf("wxgate_config_refused is %v; want %v", got, refused)
	}
}

// metric returns the sample of a metric with config="names", and with the outcome unless it is "".
func (f *live) metric(name, outcome string) float64 {
	f.t.Helper()
	families, err := f.env.Gatherer.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	want := prometheus.Labels{"config": "names"}
	if outcome != "" {
		want["outcome"] = outcome
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			got := prometheus.Labels{}
			for _, label := range m.GetLabel() {
				got[label.GetName()] = label.GetValue()
			}
			if family.GetName() == name && cmp.Equal(want, got) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
		f := open(t, fromFile(path))
		f.expect("a", "", 1)
		f.expect("a", "", 1) // nothing is loaded without a change

		f.write(path, "things: [{name: b}]")
		f.expect("b", "", 2)
		if v := f.Version(); len(v.Hash) != 64 || !cmp.Equal([]string{path}, v.Files) || !v.At.Equal(time.Now()) {
			t.Errorf("version %+v", v)
		}
		if got, want := f.metric("wxgate_config_loaded_timestamp_seconds", ""), float64(time.Now().UnixMilli())/1000; got != want {
			t.Errorf("loaded at %v by the metric; want %v", got, want)
		}

		// By rename, as editors write.
		f.write(path+".new", "things: [{name: c}]")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		f.expect("c", "", 3)

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		f.expect("c", "f.yaml: no such file or directory", 3)
		f.write(path, "things: [{name: d}]")
		f.expect("d", "", 4)
		if loaded, refused := f.metric("wxgate_config_loads_total", "loaded"), f.metric("wxgate_config_loads_total", "refused"); loaded != 3 || refused != 1 {
			t.Errorf("%v loaded, %v refused; want 3 and 1", loaded, refused)
		}
	})
}

func TestBadEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a, old: 1}]")
		f := open(t, fromFile(path))
		if !strings.Contains(f.log.String(), `warning="`+path+`:1:25: thing a: old things`) {
			t.Errorf("the log lacks the warning:\n%s", f.log)
		}
		f.write(path, "things: [{nam: b}]")
		f.expect("a", `f.yaml:1:11: unknown key "nam"`, 1)
		f.looks(10)
		if n := strings.Count(f.log.String(), "names rejected; keeping the previous version"); n != 1 {
			t.Errorf("refused %d times in the log; want once:\n%s", n, f.log)
		}
		if n := f.metric("wxgate_config_loads_total", "refused"); n != 1 {
			t.Errorf("%v refused by the metric; want 1", n)
		}
		// What is in use is what is on disk again, though it is not new.
		f.write(path, "things: [{name: a, old: 1}]")
		f.expect("a", "", 2)
	})
}

// What is there and cannot be opened, as a socket, is refused once.
func TestUnopenable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
		f := open(t, fromFile(path))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		lis, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		f.expect("a", "f.yaml: ", 1)
		f.looks(10)
		if n := f.metric("wxgate_config_loads_total", "refused"); n != 1 {
			t.Errorf("%v refused by the metric; want 1", n)
		}
		if err := lis.Close(); err != nil {
			t.Fatal(err)
		}
		f.write(path, "things: [{name: b}]")
		f.expect("b", "", 2)
	})
}

// Another mode of a file is a change: it may be readable now, or no more.
func TestChangedMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
		f := open(t, fromFile(path))
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 { // reads everything
			f.expect("a", "", 2)
			return
		}
		f.expect("a", "permission denied", 1)
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f.expect("a", "", 2)
	})
}

// A ConfigMap is a symlink to a symlink to a directory, and the one between is replaced.
func TestConfigMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		link := func(to, from string) {
			t.Helper()
			if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
				t.Fatal(err)
			}
		}
		for version, text := range map[string]string{"..1": "things: [{name: a}]", "..2": "things: [{name: b}]"} {
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, version), "f.yaml", text)
		}
		link("..1", "..data")
		link(filepath.Join("..data", "f.yaml"), "f.yaml")
		f := open(t, fromFile(filepath.Join(dir, "f.yaml")))
		link("..2", "..data_tmp")
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
			t.Fatal(err)
		}
		f.expect("b", "", 2)
	})
}

// A file that changes from look to look is not loaded before it is the same at two.
func TestWrittenInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
		f := open(t, fromFile(path))
		text := "things:\n"
		for i := range 5 {
			text += fmt.Sprintf("  - name: b%d\n", i)
			f.write(path, text)
			f.looks(1)
			if v := f.Version(); v.Number != 1 || f.ReloadError() != nil {
				t.Fatalf("loaded after part %d: %q, %v", i, v.Value, f.ReloadError())
			}
		}
		f.expect("b0 b1 b2 b3 b4", "", 2)
	})
}

// A part that is refused leaves the rest as it is loaded, and its own last good version goes on; that is no new version
// of the whole.
func TestKeptPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path, part := put(t, dir, "f.yaml", "things: [{name: a}]"), put(t, dir, "part.yaml", "things: [{name: x}]")
		f := open(t, func(l *Load, before []string) []string {
			own := &Load{}
			value := fromFile(part)(own, nil)
			if own.Err() != nil && len(before) > 0 {
				value = before[len(before)-1:]
			}
			l.AddPart(own)
			return append(fromFile(path)(l, nil), value...)
		})
		f.expect("a x", "", 1)
		f.write(part, "things: []")
		f.expect("a x", "part.yaml:1:9: expected a list", 1)
		f.write(path, "things: [{name: b}]")
		f.expect("b x", "part.yaml:1:9: expected a list", 1)
		f.write(path, "things: [{}]\nx: 1")
		f.expect("b x", "part.yaml:1:9: expected a list", 1)
		if err := f.ReloadError(); err == nil || !strings.Contains(err.Error(), `f.yaml:2:1: unknown key "x"`) {
			t.Errorf("problem: %v; want that of the file too", err)
		}
		f.write(path, "things: [{name: c}]")
		f.write(part, "things: [{name: y}]")
		f.expect("c y", "", 2)
	})
}

func TestOpenRefuses(t *testing.T) {
	path := put(t, t.TempDir(), "f.yaml", "things: [{nam: a}]\nx: 1")
	l, err := Open("names", nil, fromFile(path))
	var problems Problems
	if l != nil || !errors.As(err, &problems) || len(problems) != 2 {
		t.Errorf("got %v, %v; want both problems", l, err)
	}
}

// The report of a process lists what was refused.
func TestReadyTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, t.TempDir(), "f.yaml", "things: [{name: a}]")
		f := open(t, fromFile(path))
		report := func() string {
			w := httptest.NewRecorder()
			f.env.Ready.ServeHTTP(w, nil)
			return w.Body.String()
		}
		if got := report(); strings.Contains(got, "problems") {
			t.Errorf("a problem is reported: %s", got)
		}
		f.write(path, "things: [{nam: b}]")
		f.looks(2)
		if got := report(); !strings.Contains(got, `"problems":{"names":"rejected; keeping the previous version: `+path+":1:11:") {
			t.Errorf("the problem is not reported: %s", got)
		}
	})
}
