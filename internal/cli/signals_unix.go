//go:build unix

package cli

import (
	"os/signal"
	"syscall"
)

// ignoreFileSize makes a write beyond the size that a file may have (ulimit -f) an error, as on a full disk, and not the end
// of the process.
func ignoreFileSize() { signal.Ignore(syscall.SIGXFSZ) }
