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

// What the only account of a system has. Nothing of it is secret.
const (
	name   = "default" // wxgate's own, where no file lists accounts
	token  = "benchToken"
	appID  = "wx0123456789abcdef"
	aesKey = "benchKeybenchKeybenchKeybenchKeybenchKey012"
)

// system is the processes that answer callbacks.
type system struct {
	processes []*process
	target    *target
	memory    *memory // nil: nothing is to be remembered
}

func (s *system) stop() {
	for _, p := range s.processes {
		p.stop()
	}
}

// cpu returns the time that all processes had a processor.
func (s *system) cpu() (sum time.Duration, err error) {
	for _, p := range s.processes {
		cpu, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

func (s *system) clearLogs() {
	for _, p := range s.processes {
		p.clearLog()
	}
}

// builder starts systems.
type builder struct {
	dir                 string
	wxgate, bare, parts string // binaries
	numbers             atomic.Int64
}

// newBuilder builds the binaries: wxgate as "make build" does.
func newBuilder(ctx context.Context) (*builder, error) {
	dir, err := os.MkdirTemp("", "wxgate-bench")
	if err != nil {
		return nil, err
	}
	b := &builder{dir: dir, wxgate: filepath.Join(dir, "wxgate"), bare: filepath.Join(dir, "bare"), parts: filepath.Join(dir, "parts")}
	for binary, pkg := range map[string]string{b.wxgate: "wxgate", b.bare: "wxgate/bench/bare", b.parts: "wxgate/bench/parts"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, pkg)
		build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		if err := build.Run(); err != nil {
			return nil, errors.Join(fmt.Errorf("build %s: %w", pkg, err), b.close())
		}
	}
	return b, nil
}

func (b *builder) close() error { return os.RemoveAll(b.dir) }

// begin returns a system without processes, whose messages are for the one account.
func (b *builder) begin() *system {
	return &system{target: &target{accounts: []*account{{name: name, token: token}}, check: (*account).checkEcho, numbers: &b.numbers}}
}

// add starts a process of the system, and returns the address that it is asked at, named by its flag.
func (b *builder) add(ctx context.Context, s *system, flag, binary string, args ...string) (string, error) {
	p, err := start(b.dir, binary, args...)
	if err != nil {
		return "", err
	}
	s.processes = append(s.processes, p)
	if binary == b.wxgate {
		if _, err := p.ready(ctx); err != nil {
			return "", err
		}
	}
	return p.addr(ctx, flag)
}

// Addresses of wxgate's roles.
func serveArgs(more ...string) []string {
	return append([]string{"serve", "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--replier-listen=127.0.0.1:0", "--oauth-listen=127.0.0.1:0"}, more...)
}

func gatewayArgs(more ...string) []string {
	return append([]string{"gateway", "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--token=" + token}, more...)
}

func (b *builder) serve(ctx context.Context, args ...string) (s *system, err error) {
	s = b.begin()
	s.target.addr, err = b.add(ctx, s, "listen", b.wxgate, serveArgs(args...)...)
	return s, err
}

// together is wxgate's parts in one handler.
func (b *builder) together(ctx context.Context) (s *system, err error) {
	s = b.begin()
	s.target.addr, err = b.add(ctx, s, "listen", b.parts, "-token="+token)
	return s, err
}

// stored is serve with a place for messages whose answers follow.
func (b *builder) stored(ctx context.Context) (*system, error) {
	data, err := os.MkdirTemp(b.dir, "data")
	if err != nil {
		return nil, err
	}
	return b.serve(ctx, "--token="+token, "--data-dir="+data)
}

// plain is serve with one account in plain mode.
func (b *builder) plain(ctx context.Context) (*system, error) { return b.serve(ctx, "--token="+token) }

// safe is serve with one account in safe mode.
func (b *builder) safe(ctx context.Context) (*system, error) {
	cipher, err := wechat.NewCipher(aesKey, appID)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, "--token="+token, "--app-id="+appID, "--aes-key="+aesKey)
	s.target.accounts[0].cipher = cipher
	return s, err
}

// apart is a gateway and a replier.
func (b *builder) apart(ctx context.Context) (*system, error) {
	s := b.begin()
	replier, err := b.add(ctx, s, "replier-listen", b.wxgate, "replier", "--replier-listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.target.addr, err = b.add(ctx, s, "listen", b.wxgate, gatewayArgs("--replier=dns:///"+replier)...)
	return s, err
}

// handler is the bare handler; with more it asks the bare server.
func (b *builder) handler(ctx context.Context, s *system, more ...string) (*system, error) {
	m := s.target.accounts[0].message(0)
	size := len(wechat.EncodeReply(reply(m), m.FromUserName, m.ToUserName, m.CreateTime))
	s.target.check = func(_ *account, _ *wechatv1.Message, answer []byte) error {
		if len(answer) != size {
			return fmt.Errorf("got an answer of %d bytes; want %d", len(answer), size)
		}
		return nil
	}
	var err error
	s.target.addr, err = b.add(ctx, s, "listen", b.bare, append(more, "-reply="+strconv.Itoa(size))...)
	return s, err
}

// bareOne is the bare handler.
func (b *builder) bareOne(ctx context.Context) (*system, error) { return b.handler(ctx, b.begin()) }

// barePair is the bare handler that asks the bare server, with messages of the sizes that a gateway's and a replier's have.
func (b *builder) barePair(ctx context.Context) (*system, error) {
	s := b.begin()
	m := s.target.accounts[0].message(0)
	request := proto.Size(&replierv1.ReplyRequest{Message: m, Coordination: &replierv1.Coordination{MayDefer: true}})
	server, err := b.add(ctx, s, "listen", b.bare, "-serve="+strconv.Itoa(proto.Size(&replierv1.ReplyResponse{Reply: reply(m)})))
	if err != nil {
		return s, err
	}
	return b.handler(ctx, s, "-call=dns:///"+server, "-request="+strconv.Itoa(request))
}
