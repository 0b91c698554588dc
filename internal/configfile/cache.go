package configfile

// Cache holds the files that the loads of a starting process have read. Each of them is opened once, and all services of the
// process start with the same content. A nil Cache holds nothing.
type Cache struct{ files map[string]cachedFile }

type cachedFile struct {
	data []byte
	file fileState
}

// NewLoad returns a load that reads through the cache.
func (c *Cache) NewLoad() *Load { return &Load{cache: c} }

func (c *Cache) find(path string) ([]byte, fileState, bool) {
	if c == nil {
		return nil, fileState{}, false
	}
	known, ok := c.files[path]
	return known.data, known.file, ok
}

func (c *Cache) add(path string, data []byte, f fileState) {
	switch {
	case c == nil:
		return
	case c.files == nil:
		c.files = map[string]cachedFile{}
	}
	c.files[path] = cachedFile{data, f}
}
