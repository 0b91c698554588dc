package main

import (
	"os/exec"
	"syscall"
	"time"
)

// dieWithParent has the kernel end the process where this one is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// sleep waits in the kernel: the runtime's timers are late by up to a millisecond where nothing else is to be done.
func sleep(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // who is woken early looks at the clock again
}
