package main

import (
	"os/exec"
	"syscall"
	"time"
)

// dieWithParent makes the kernel kill the process when this one is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// sleepFor waits in the kernel: the runtime's timers are up to a millisecond late in an idle process.
func sleepFor(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // the caller checks the clock after an early wake-up
}
