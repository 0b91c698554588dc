package configfile

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wxgate/internal/service"
)

// Every is how often up to filesEvery files are looked at; more files are looked at less often. They are loaded when one
// changed and all are the same at two looks: an editor that writes in parts is not interrupted. Looking works where change
// notices don't: network file systems, bind mounts of a virtual machine, the symlinks of a Kubernetes ConfigMap.
const Every = 200 * time.Millisecond

// filesEvery bounds the work of an idle process: it looks at so many files in Every, however many there are.
const filesEvery = 100

// Live is a value made from files. It is made anew when they change; where that fails, the last good one stays.
type Live[T any] struct {
	name    string
	log     *slog.Logger
	load    func(l *Load, before T) T
	good    atomic.Pointer[Version[T]]
	refused atomic.Pointer[Problems] // of the files as they are now; nil: none
	tried   []file                   // at the last load
	changes []any                    // what the last load noted
	loads   *prometheus.CounterVec
	changed func(T) // nil: nobody asked
}

// Version is a value that was loaded.
type Version[T any] struct {
	Value    T
	Number   int    // 1 for the first of this process
	Hash     string // of the files, SHA-256 in hex
	At       time.Time
	Files    []string
	Warnings Problems // if there are many, the last one says how many more
	Warned   int      // how many there are
}

// Open loads a value for the first time. name is what it is called in log, metrics and /readyz, such as "rules". load
// gets the value in use (at first the zero value) and returns the next one. It reports what is wrong as problems of the
// load, which at first are Open's error.
func Open[T any](env service.Env, name string, load func(l *Load, before T) T) (*Live[T], error) {
	l := &Live[T]{name: name, log: env.Log, load: load}
	if err := l.reload(); err != nil {
		return nil, err
	}
	for _, w := range l.Version().Warnings {
		l.log.Warn(name, "warning", w.String())
	}
	l.register(env)
	return l, nil
}

func (l *Live[T]) register(env service.Env) {
	l.loads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_config_loads_total", Help: "Changed files by outcome: loaded, refused.",
	}, []string{"outcome"})
	prometheus.WrapRegistererWith(prometheus.Labels{"config": l.name}, env.Registerer).MustRegister(
		l.loads,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wxgate_config_refused", Help: "1 while the files on disk are refused and an older version goes on.",
		}, func() float64 {
			if l.Problem() != nil {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wxgate_config_loaded_timestamp_seconds", Help: "When the version in use was loaded.",
		}, func() float64 { return float64(l.Version().At.UnixMilli()) / 1000 }),
	)
	env.Ready.Problem(l.name, l.Problem)
}

// Value returns the value in use.
func (l *Live[T]) Value() T { return l.good.Load().Value }

// Version returns what is in use.
func (l *Live[T]) Version() *Version[T] { return l.good.Load() }

// Problem returns why the files as they are now are not in use; nil where they are.
func (l *Live[T]) Problem() error {
	if p := l.refused.Load(); p != nil {
		return fmt.Errorf("refused, what was loaded before goes on: %w", *p)
	}
	return nil
}

// Watch loads the value again whenever its files change, until ctx ends.
func (l *Live[T]) Watch(ctx context.Context) {
	next := time.NewTimer(lookAgain(len(l.tried)))
	defer next.Stop()
	var last []file
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		now := look(l.tried)
		switch {
		case same(now, l.tried):
			last = nil
			next.Reset(lookAgain(len(l.tried)))
			continue
		case !same(now, last):
			last = now
			next.Reset(Every)
			continue
		}
		last = nil
		l.loadAgain()
		next.Reset(lookAgain(len(l.tried)))
	}
}

// lookAgain returns how long files are left alone after a look at them.
func lookAgain(files int) time.Duration {
	return max(Every, Every*time.Duration(files)/filesEvery)
}

// OnChange has f called with each new value, by Watch. It is for before Watch.
func (l *Live[T]) OnChange(f func(T)) { l.changed = f }

// loadAgain loads the value when its files changed, and logs what became of it.
func (l *Live[T]) loadAgain() {
	if err := l.reload(); err != nil {
		l.loads.WithLabelValues("refused").Inc()
		l.log.Error(l.name+" refused, what was loaded before goes on", "version", l.Version().Number, "error", err.Error(), slog.Group("", l.changes...))
		return
	}
	l.loads.WithLabelValues("loaded").Inc()
	v := l.Version()
	l.log.Info(l.name+" loaded", "version", v.Number, "hash", v.Hash[:12], "warnings", v.Warned, slog.Group("", l.changes...))
	if l.changed != nil {
		l.changed(v.Value)
	}
}

// reload loads the value. A part that is refused, where an older one goes on, is an error too, and no new version.
func (l *Live[T]) reload() error {
	before := l.good.Load()
	if before == nil {
		before = &Version[T]{}
	}
	load := &Load{}
	value := l.load(load, before.Value)
	l.tried, l.changes = load.files, load.changes
	if load.Err() != nil {
		all := slices.Concat(load.Problems, load.kept)
		l.refused.Store(&all)
		return all
	}
	if len(load.kept) > 0 {
		half := *before
		half.Value = value
		l.good.Store(&half)
		l.refused.Store(&load.kept)
		return load.kept
	}
	l.good.Store(&Version[T]{
		Value: value, Number: before.Number + 1, Hash: load.Hash(), At: time.Now(), Files: load.Files(), Warnings: load.Warnings(), Warned: load.Warned(),
	})
	l.refused.Store(nil)
	return nil
}

// look returns the files as they are now.
func look(files []file) []file {
	now := make([]file, len(files))
	for i, f := range files {
		info, err := os.Stat(f.path)
		if err != nil {
			info = nil
		}
		now[i] = file{path: f.path, info: info}
	}
	return now
}

// same tells whether files did not change.
func same(a, b []file) bool {
	return slices.EqualFunc(a, b, func(a, b file) bool {
		return a.path == b.path && (a.info == nil) == (b.info == nil) && (a.info == nil || sameInfo(a.info, b.info))
	})
}

func sameInfo(a, b fs.FileInfo) bool {
	// A new mode may make a file readable.
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
