package store

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// noteEvery is the time between two inventories of a data directory.
const noteEvery = 5 * time.Second

// inventory lists the content of a data directory. It exists because a server that finds damage continues with the rest of the
// data and reports little.
type inventory struct {
	Noted   time.Time
	Buckets map[string]bucketContents
}

// bucketContents is the content of one bucket, in numbers.
type bucketContents struct {
	Values uint64
	Last   uint64 // sequence number of the last change
}

// takeInventory counts the content of the directory. It leaves out buckets in memory.
func (e *embeddedServer) takeInventory() (inventory, error) {
	found := inventory{Noted: time.Now(), Buckets: map[string]bucketContents{}}
	all, err := e.currentServer().Jsz(&server.JSzOptions{Accounts: true, Streams: true, Config: true})
	if err != nil {
		return found, err
	}
	for _, account := range all.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Config != nil && stream.Config.Storage == server.FileStorage {
				found.Buckets[strings.TrimPrefix(stream.Name, "KV_wxgate_")] = bucketContents{stream.State.Msgs, stream.State.LastSeq}
			}
		}
	}
	return found, nil
}

func (e *embeddedServer) inventoryFile() string { return filepath.Join(e.dir, "inventory") }

// noteInventory writes the inventory to the directory. It ignores errors: the content is not compared later then.
func (e *embeddedServer) noteInventory() {
	found, err := e.takeInventory()
	if err != nil {
		return
	}
	data, err := json.Marshal(found)
	if err != nil {
		return
	}
	next := e.inventoryFile() + ".new"
	if os.WriteFile(next, data, 0o600) == nil {
		_ = os.Rename(next, e.inventoryFile())
	}
}

// readInventory reads the inventory that was written last.
func (e *embeddedServer) readInventory() {
	data, err := os.ReadFile(e.inventoryFile())
	if err != nil || json.Unmarshal(data, &e.before) != nil {
		e.before = inventory{}
	}
}

// compareInventory logs each bucket that lost values since the last inventory: its last change is an earlier one, or it has
// fewer values and the server warned. In the second case some of the values may only have expired. Each bucket is logged once.
func (e *embeddedServer) compareInventory() {
	now, err := e.takeInventory()
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for bucket, held := range e.before.Buckets {
		holds := now.Buckets[bucket]
		if holds.Last >= held.Last && (holds.Values >= held.Values || !e.log.hasWarned()) {
			continue
		}
		delete(e.before.Buckets, bucket)
		e.log.log.Error("the data directory is damaged and lost values", "bucket", bucket, "values", holds.Values, "values_before", held.Values,
			"changes_lost", max(held.Last, holds.Last)-holds.Last, "counted", e.before.Noted.Format(time.RFC3339))
	}
}

// keepInventory writes the inventory from time to time, until the store closes.
func (s *Store) keepInventory() {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.server.noteInventory()
		case <-s.ctx.Done():
			return
		}
	}
}
