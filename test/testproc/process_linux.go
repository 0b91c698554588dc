package testproc

import (
	"os/exec"
	"syscall"
)

// DieWithParent has the kernel end the process if the test is killed and cannot do it.
func DieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
