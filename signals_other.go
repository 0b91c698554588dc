//go:build !unix

package main

// ignoreFileSize does nothing: there is no such signal.
func ignoreFileSize() {}
