package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"wxgate/internal/wechat"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// The only account of a system. None of its values is secret.
const (
	name   = "default" // wxgate's own name of the account without an accounts file
	token  = "benchToken"
	appID  = "wx0123456789abcdef"
	aesKey = "benchKeybenchKeybenchKeybenchKeybenchKey012"
)

// processGroup has the processes that answer callbacks.
type processGroup struct {
	processes []*childProcess
	target    *callbackTarget
	memory    *messageMemory // nil: nothing is to be remembered
}

func (s *processGroup) stop() {
	for _, p := range s.processes {
		p.stopProcess()
	}
}

// cpuTime returns the CPU time of all processes.
func (s *processGroup) cpuTime() (sum time.Duration, err error) {
	for _, p := range s.processes {
		cpu, err := p.cpuTime()
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

func (s *processGroup) clearLogs() {
	for _, p := range s.processes {
		p.clearLog()
	}
}

// systemBuilder starts systems.
type systemBuilder struct {
	dir                 string
	wxgate, bare, parts string // binaries
	numbers             atomic.Int64
}

// newBuilder builds the binaries: wxgate as "make build" does.
func newBuilder(ctx context.Context) (*systemBuilder, error) {
	dir, err := os.MkdirTemp("", "wxgate-bench")
	if err != nil {
		return nil, err
	}
	b := &systemBuilder{dir: dir, wxgate: filepath.Join(dir, "wxgate"), bare: filepath.Join(dir, "bare"), parts: filepath.Join(dir, "parts")}
	for binary, pkg := range map[string]string{b.wxgate: "wxgate", b.bare: "wxgate/bench/bare", b.parts: "wxgate/bench/parts"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, pkg)
		build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		if err := build.Run(); err != nil {
			return nil, errors.Join(fmt.Errorf("build %s: %w", pkg, err), b.removeFiles())
		}
	}
	return b, nil
}

func (b *systemBuilder) removeFiles() error { return os.RemoveAll(b.dir) }

// newSystem returns a system without processes, with messages for the one account.
func (b *systemBuilder) newSystem() *processGroup {
	return &processGroup{target: &callbackTarget{accounts: []*benchAccount{{name: name, token: token}}, check: (*benchAccount).checkEcho, numbers: &b.numbers}}
}

// addProcess starts a process of the system, and returns its address, which is named by a flag.
func (b *systemBuilder) addProcess(ctx context.Context, s *processGroup, flag, binary string, args ...string) (string, error) {
	p, err := startProcess(b.dir, binary, args...)
	if err != nil {
		return "", err
	}
	s.processes = append(s.processes, p)
	if binary == b.wxgate {
		if _, err := p.awaitReady(ctx); err != nil {
			return "", err
		}
	}
	return p.listenAddress(ctx, flag)
}

// Addresses of wxgate's roles.
func serveArgs(more ...string) []string {
	return append([]string{"serve", "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--replier-listen=127.0.0.1:0", "--oauth-listen=127.0.0.1:0"}, more...)
}

func gatewayArgs(more ...string) []string {
	return append([]string{"gateway", "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--token=" + token}, more...)
}

func (b *systemBuilder) serveSystem(ctx context.Context, args ...string) (s *processGroup, err error) {
	s = b.newSystem()
	s.target.addr, err = b.addProcess(ctx, s, "listen", b.wxgate, serveArgs(args...)...)
	return s, err
}

// partsSystem is wxgate's parts in one handler.
func (b *systemBuilder) partsSystem(ctx context.Context) (s *processGroup, err error) {
	s = b.newSystem()
	s.target.addr, err = b.addProcess(ctx, s, "listen", b.parts, "-token="+token)
	return s, err
}

// storedSystem is serve with a store for late answers.
func (b *systemBuilder) storedSystem(ctx context.Context) (*processGroup, error) {
	data, err := os.MkdirTemp(b.dir, "data")
	if err != nil {
		return nil, err
	}
	return b.serveSystem(ctx, "--token="+token, "--data-dir="+data)
}

// plainSystem is serve with one account in plain mode.
func (b *systemBuilder) plainSystem(ctx context.Context) (*processGroup, error) {
	return b.serveSystem(ctx, "--token="+token)
}

// safeSystem is serve with one account in safe mode.
func (b *systemBuilder) safeSystem(ctx context.Context) (*processGroup, error) {
	cipher, err := wechat.NewCipher(aesKey, appID)
	if err != nil {
		return nil, err
	}
	s, err := b.serveSystem(ctx, "--token="+token, "--app-id="+appID, "--aes-key="+aesKey)
	s.target.accounts[0].cipher = cipher
	return s, err
}

// splitSystem is a gateway and a replier.
func (b *systemBuilder) splitSystem(ctx context.Context) (*processGroup, error) {
	s := b.newSystem()
	replier, err := b.addProcess(ctx, s, "replier-listen", b.wxgate, "replier", "--replier-listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.target.addr, err = b.addProcess(ctx, s, "listen", b.wxgate, gatewayArgs("--replier=dns:///"+replier)...)
	return s, err
}

// bareSystem is the bare handler; with the flags in more it calls the bare server.
func (b *systemBuilder) bareSystem(ctx context.Context, s *processGroup, more ...string) (*processGroup, error) {
	m := s.target.accounts[0].newMessage(0)
	size := len(wechat.EncodeReply(echoReply(m), m.FromUserName, m.ToUserName, m.CreateTime))
	s.target.check = func(_ *benchAccount, _ *wechatv1.Message, answer []byte) error {
		if len(answer) != size {
			return fmt.Errorf("got an answer of %d bytes; want %d", len(answer), size)
		}
		return nil
	}
	var err error
	s.target.addr, err = b.addProcess(ctx, s, "listen", b.bare, append(more, "-reply="+strconv.Itoa(size))...)
	return s, err
}

// bareOne is the bare handler.
func (b *systemBuilder) bareOne(ctx context.Context) (*processGroup, error) {
	return b.bareSystem(ctx, b.newSystem())
}

// barePair is the bare handler and the bare server, with messages of the sizes of a gateway's and a replier's.
func (b *systemBuilder) barePair(ctx context.Context) (*processGroup, error) {
	s := b.newSystem()
	m := s.target.accounts[0].newMessage(0)
	request := proto.Size(&replierv1.ReplyRequest{Message: m, Coordination: &replierv1.Coordination{MayDefer: true}})
	server, err := b.addProcess(ctx, s, "listen", b.bare, "-serve="+strconv.Itoa(proto.Size(&replierv1.ReplyResponse{Reply: echoReply(m)})))
	if err != nil {
		return s, err
	}
	return b.bareSystem(ctx, s, "-call=dns:///"+server, "-request="+strconv.Itoa(request))
}
