//go:build !linux

package testproc

import "os/exec"

// DieWithParent does nothing: only Linux has it.
func DieWithParent(*exec.Cmd) {}
