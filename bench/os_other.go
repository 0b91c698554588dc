//go:build !linux

package main

import (
	"os/exec"
	"time"
)

// dieWithParent does nothing: only Linux has it.
func dieWithParent(*exec.Cmd) {}

func sleep(d time.Duration) { time.Sleep(d) }
