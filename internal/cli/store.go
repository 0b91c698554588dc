package cli

import (
	"fmt"
	"strconv"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/service"
	"wxgate/internal/store"
)

// storeFlags say where what must last is kept.
type storeFlags struct {
	DataDir string `name:"data-dir" env:"WXGATE_DATA_DIR" placeholder:"DIR" help:"Directory for what must survive a restart: users' tokens, messages whose answers are owed; by default it ends with the process."`
	natsFlags
}

type natsFlags struct {
	NATS service.Secret `name:"nats" env:"WXGATE_NATS" placeholder:"URL,…" help:"NATS cluster that keeps what must survive, for several replicas: nats://user:password@host:4222."`
}

// config returns where the store is.
func (f storeFlags) config(env service.Env) store.Config {
	return store.Config{Env: env.ForService("store"), Dir: f.DataDir, URL: f.NATS.Reveal()}
}

// given tells whether there is a place that lasts.
func (f storeFlags) given() bool { return f.DataDir != "" || f.NATS != "" }

// open opens the store, also while a cluster is unreachable.
func (f storeFlags) open(env service.Env) (*store.Store, error) {
	cfg := f.config(env)
	cfg.Patient = true
	return store.Open(cfg)
}

// warn says what a restart ends, where it does.
func (f storeFlags) warn(env service.Env) {
	if !f.given() {
		env.Log.Warn("neither --data-dir nor --nats: users' tokens, and messages whose answers are owed, end with this process")
	}
}

// slowFlags say what becomes of answers that are not ready while WeChat waits, and what users read if none will come.
type slowFlags struct {
	Slow     string `name:"slow" env:"WXGATE_SLOW" placeholder:"WAY" help:"What becomes of an answer that is not ready in time: push (it follows as a customer-service message), hold (WeChat's second or third attempt gets it), later (the user's next message gets it) or drop; by default push where that can be done, else hold."`
	BusyText string `name:"busy-text" env:"WXGATE_BUSY_TEXT" default:"系统繁忙，请稍后再试。" help:"What users read if no answer will come: too many messages wait, nothing answered WeChat's third attempt, or the answer failed after WeChat had stopped waiting. Empty counts as unset; a blank says nothing."`
}

func (f slowFlags) slow() accounts.Slow { return accounts.Slow{How: accounts.How(f.Slow)} }

// backlogFlags bound the messages whose answers are owed.
type backlogFlags struct {
	BacklogSize mebibytes `name:"backlog-size" env:"WXGATE_BACKLOG_SIZE" default:"256" help:"MiB for messages whose answers are owed."`
}

func (f backlogFlags) backlog(env service.Env, kept *store.Store) *backlog.Backlog {
	return backlog.New(backlog.Config{Env: env, Store: kept, Size: f.BacklogSize.bytes()})
}

// mebibytes is a size in MiB, as a flag gives it.
type mebibytes int

// maxMebibytes is 1 TiB: more is a slip, and far more would overflow.
const maxMebibytes = 1 << 20

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *mebibytes) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > maxMebibytes {
		return fmt.Errorf("expected a number of MiB from 1 to %d, got %q", maxMebibytes, text)
	}
	*m = mebibytes(n)
	return nil
}

// bytes returns the size in bytes.
func (m mebibytes) bytes() int { return int(m) << 20 }
