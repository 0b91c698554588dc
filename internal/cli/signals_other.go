//go:build !unix

package cli

// ignoreFileSize does nothing: there is no such signal.
func ignoreFileSize() {}
