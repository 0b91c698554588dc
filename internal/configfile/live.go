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

// Every is the time between two checks of up to filesEvery files; more files are checked less often. They are loaded after one
// has changed and two checks found the same: an editor may write in several steps. Unlike change notifications, checks
// also work for network file systems, bind mounts of a virtual machine and the symlinks of a Kubernetes ConfigMap.
const Every = 200 * time.Millisecond

// filesEvery bounds the work of an idle process: it is the number of files that are checked in Every.
const filesEvery = 100

// Live is a value loaded from files. It is loaded again when they change; if they are invalid, the last valid value stays.
type Live[T any] struct {
	name    string
	log     *slog.Logger
	load    func(l *Load, before T) T
	good    atomic.Pointer[Version[T]]
	refused atomic.Pointer[Problems] // of the current files; nil: they are valid
	tried   []fileState              // the files of the last load
	changes []any                    // log attributes of the last load
	loads   *prometheus.CounterVec
	changed func(T) // may be nil
}

// Version is a value that was loaded.
type Version[T any] struct {
	Value    T
	Number   int    // 1 for the first of this process
	Hash     string // of the files, SHA-256 in hex
	At       time.Time
	Files    []string
	Warnings Problems // if there are many, the last one gives the number of further ones
	Warned   int      // the number of all warnings
}

// Open loads a value for the first time. name is its name in log, metrics and /readyz, such as "rules". load gets the value in
// use (at first the zero value) and returns the next one. It adds errors to the problems of the load; at the first load they
// are the error of Open. The first load reads its files through cache, which may be nil.
func Open[T any](name string, cache *Cache, load func(l *Load, before T) T) (*Live[T], error) {
	l := &Live[T]{name: name, log: slog.New(slog.DiscardHandler), load: load}
	if err := l.loadFiles(cache.NewLoad()); err != nil {
		return nil, err
	}
	return l, nil
}

// Register logs the warnings of the first load, and reports later loads in log, metrics and /readyz of env. Call it before
// Watch.
func (l *Live[T]) Register(env service.Env) {
	l.log = env.Log
	for _, w := range l.Version().Warnings {
		l.log.Warn(l.name, "warning", w.String())
	}
	l.loads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wxgate_config_loads_total", Help: "Loads of changed files, by outcome: loaded or refused.",
	}, []string{"outcome"})
	prometheus.WrapRegistererWith(prometheus.Labels{"config": l.name}, env.Registerer).MustRegister(
		l.loads,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wxgate_config_refused", Help: "1 while the files on disk are invalid and the previous version stays in use.",
		}, func() float64 {
			if l.ReloadError() != nil {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wxgate_config_loaded_timestamp_seconds", Help: "When the version in use was loaded, in seconds since 1970.",
		}, func() float64 { return float64(l.Version().At.UnixMilli()) / 1000 }),
	)
	env.Ready.AddProblem(l.name, l.ReloadError)
}

// Value returns the value in use.
func (l *Live[T]) Value() T { return l.good.Load().Value }

// Version returns the version in use.
func (l *Live[T]) Version() *Version[T] { return l.good.Load() }

// ReloadError returns why the current files are not in use; nil if they are.
func (l *Live[T]) ReloadError() error {
	if p := l.refused.Load(); p != nil {
		return fmt.Errorf("rejected; keeping the previous version: %w", *p)
	}
	return nil
}

// Watch loads the value again whenever its files change, until ctx ends.
func (l *Live[T]) Watch(ctx context.Context) {
	next := time.NewTimer(lookAgain(len(l.tried)))
	defer next.Stop()
	var last []fileState
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		now := statFiles(l.tried)
		switch {
		case sameFiles(now, l.tried):
			last = nil
			next.Reset(lookAgain(len(l.tried)))
			continue
		case !sameFiles(now, last):
			last = now
			next.Reset(Every)
			continue
		}
		last = nil
		l.loadAgain()
		next.Reset(lookAgain(len(l.tried)))
	}
}

// lookAgain returns the time between two checks of so many files.
func lookAgain(files int) time.Duration {
	return max(Every, Every*time.Duration(files)/filesEvery)
}

// OnChange registers f, which Watch calls with each new value. Call it before Watch.
func (l *Live[T]) OnChange(f func(T)) { l.changed = f }

// loadAgain loads the value after its files have changed, and logs the result.
func (l *Live[T]) loadAgain() {
	if err := l.loadFiles(&Load{}); err != nil {
		l.loads.WithLabelValues("refused").Inc()
		l.log.Error(l.name+" rejected; keeping the previous version", "version", l.Version().Number, "error", err.Error(), slog.Group("", l.changes...))
		return
	}
	l.loads.WithLabelValues("loaded").Inc()
	v := l.Version()
	l.log.Info(l.name+" loaded", "version", v.Number, "hash", v.Hash[:12], "warnings", v.Warned, slog.Group("", l.changes...))
	if l.changed != nil {
		l.changed(v.Value)
	}
}

// loadFiles loads the value. If a part is rejected and its previous version stays, that is an error too and not a new version.
func (l *Live[T]) loadFiles(load *Load) error {
	before := l.good.Load()
	if before == nil {
		before = &Version[T]{}
	}
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
		Value: value, Number: before.Number + 1, Hash: load.Hash(), At: time.Now(), Files: load.FilePaths(), Warnings: load.Warnings(), Warned: load.WarningCount(),
	})
	l.refused.Store(nil)
	return nil
}

// statFiles returns the current state of the files.
func statFiles(files []fileState) []fileState {
	now := make([]fileState, len(files))
	for i, f := range files {
		info, err := os.Stat(f.path)
		if err != nil {
			info = nil
		}
		now[i] = fileState{path: f.path, info: info}
	}
	return now
}

// sameFiles reports whether the files are unchanged.
func sameFiles(a, b []fileState) bool {
	return slices.EqualFunc(a, b, func(a, b fileState) bool {
		return a.path == b.path && (a.info == nil) == (b.info == nil) && (a.info == nil || sameInfo(a.info, b.info))
	})
}

func sameInfo(a, b fs.FileInfo) bool {
	// A new mode may make a file readable.
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
