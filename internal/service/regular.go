package service

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// OpenRegular opens a regular file for reading. It rejects pipes, which can be read only once, and devices, which may have no
// end; both may block for ever. The error is an fs.PathError; info is nil if the file could not be examined.
func OpenRegular(path string) (in *os.File, info fs.FileInfo, err error) {
	if info, err = os.Stat(path); err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: errors.Unwrap(err)}
	}
	if err := checkRegular(path, info); err != nil {
		return nil, info, err
	}
	in, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have become a pipe since
	if err != nil {
		return nil, info, err
	}
	info, err = in.Stat()
	if err == nil {
		err = checkRegular(path, info)
	}
	if err != nil {
		_ = in.Close()
		return nil, info, err
	}
	return in, info, nil
}

// ReadRegular returns the content of a regular file.
func ReadRegular(path string) ([]byte, error) {
	in, _, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

func checkRegular(path string, info fs.FileInfo) error {
	mode, kind := info.Mode(), "not a regular file"
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	}
	return &fs.PathError{Op: "open", Path: path, Err: errors.New("is " + kind + "; expected a regular file")}
}
