package testproc

import "golang.org/x/sys/unix"

// LimitFileSize sets how large the files of a running process may become.
func LimitFileSize(pid int, bytes uint64) error {
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
}
