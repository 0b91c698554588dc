package store

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// noteEvery is how often it is noted what a data directory holds.
const noteEvery = 5 * time.Second

// inventory is what a data directory held: a server that finds it damaged goes on with what is left, and says little.
type inventory struct {
	Noted   time.Time
	Buckets map[string]contents
}

// contents is what a bucket held.
type contents struct {
	Values uint64
	Last   uint64 // the number of the last change
}

// count returns what the directory holds. Buckets in memory are not in it.
func (e *embedded) count() (inventory, error) {
	found := inventory{Noted: time.Now(), Buckets: map[string]contents{}}
	all, err := e.current().Jsz(&server.JSzOptions{Accounts: true, Streams: true, Config: true})
	if err != nil {
		return found, err
	}
	for _, account := range all.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Config != nil && stream.Config.Storage == server.FileStorage {
				found.Buckets[strings.TrimPrefix(stream.Name, "KV_wxgate_")] = contents{stream.State.Msgs, stream.State.LastSeq}
			}
		}
	}
	return found, nil
}

func (e *embedded) inventoryFile() string { return filepath.Join(e.dir, "inventory") }

// noteInventory notes what the directory holds. What cannot be noted is not compared later.
func (e *embedded) noteInventory() {
	found, err := e.count()
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

// readInventory reads what the directory held when that was noted last.
func (e *embedded) readInventory() {
	data, err := os.ReadFile(e.inventoryFile())
	if err != nil || json.Unmarshal(data, &e.before) != nil {
		e.before = inventory{}
	}
}

// compareInventory logs what the directory lost since that was noted last: in a bucket that went back to an earlier change, or
// whose values are fewer although the server found something wrong. Values that expired are not told apart from lost ones
// then. A bucket is named once.
func (e *embedded) compareInventory() {
	now, err := e.count()
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for bucket, held := range e.before.Buckets {
		holds := now.Buckets[bucket]
		if holds.Last >= held.Last && (holds.Values >= held.Values || !e.log.warned()) {
			continue
		}
		delete(e.before.Buckets, bucket)
		e.log.log.Error("the data directory is damaged, and lost values", "bucket", bucket, "values", holds.Values, "values_before", held.Values,
			"changes_lost", max(held.Last, holds.Last)-holds.Last, "counted", e.before.Noted.Format(time.RFC3339))
	}
}

// keepInventory notes what the directory holds from time to time, until the store ends.
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
