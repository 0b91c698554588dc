package main

import (
	"wxgate/internal/service"
	"wxgate/internal/store"
)

// storeFlags say where what must last is kept.
type storeFlags struct {
	DataDir string         `name:"data-dir" env:"WXGATE_DATA_DIR" placeholder:"DIR" help:"Directory for what must survive a restart, such as users' tokens; by default it ends with the process."`
	NATS    service.Secret `name:"nats" env:"WXGATE_NATS" placeholder:"URL,…" help:"NATS cluster that keeps it instead, for several replicas: nats://user:password@host:4222."`
}

// config returns where the store is.
func (f storeFlags) config(env service.Env) store.Config {
	return store.Config{Env: env.For("store"), Dir: f.DataDir, URL: f.NATS.Reveal()}
}

// open opens the store.
func (f storeFlags) open(env service.Env) (*store.Store, error) { return store.Open(f.config(env)) }

// warn says that a restart asks users to log in again, where it does.
func (f storeFlags) warn(env service.Env) {
	if f.DataDir == "" && f.NATS == "" {
		env.Log.Warn("neither --data-dir nor --nats: users' tokens end with this process")
	}
}
