package test

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the process where the test is killed, and can't do it.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
