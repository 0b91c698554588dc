//go:build !linux

package test

import "os/exec"

// dieWithParent does nothing: only Linux has it.
func dieWithParent(*exec.Cmd) {}
