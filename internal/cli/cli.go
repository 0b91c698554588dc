// Package cli is the command line: it reads flags and environment variables, makes the configurations of the services from
// them, and starts and stops whole processes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver/dns"

	"wxgate/internal/service"
)

// commandLine has all commands.
type commandLine struct {
	Dev        devCmd        `cmd:"" help:"Run everything in one process with a fake WeChat: no account, no file, no Docker."`
	Serve      serveCmd      `cmd:"" help:"Run gateway, replier and oauthsvc in one process."`
	Gateway    gatewayCmd    `cmd:"" help:"Run the gateway alone."`
	Replier    replierCmd    `cmd:"" help:"Run the replier alone."`
	Oauthsvc   oauthsvcCmd   `cmd:"" help:"Run the oauth service alone."`
	Fakewechat fakewechatCmd `cmd:"" help:"Run the fake WeChat platform alone. Not for production."`
	Send       sendCmd       `cmd:"" help:"Send one signed callback to a gateway, as WeChat would, and show the reply."`
	Load       loadCmd       `cmd:"" help:"Send signed callbacks of many users to a gateway at a steady rate, and report latencies and failures."`
	Decode     decodeCmd     `cmd:"" help:"Read one callback body on stdin and print the message as JSON."`
	Rules      struct {
		Check  checkCmd  `cmd:"" help:"Check rules files, and run the expectations in them."`
		Try    tryCmd    `cmd:"" help:"Show which rule answers the message on stdin, its answer, and why the rules before it do not answer."`
		Schema schemaCmd `cmd:"" help:"Print the JSON Schema of rules files, for editors."`
	} `cmd:"" help:"Work with rules files."`
	Health healthCmd `cmd:"" help:"Ask a process for its health; the exit code is 0 if it is good."`

	Version kong.VersionFlag `help:"Print the version."`
}

// Main runs the command line and returns the exit code of the process.
func Main(args []string) int {
	dns.SetMinResolutionInterval(service.ResolveEvery)
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)) // our own log lines report the same
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if err := runCommand(ctx, args); err != nil {
		reportFailure(err)
		return 1
	}
	return 0
}

// runCommand parses the arguments and runs the command that they name.
func runCommand(ctx context.Context, args []string) error {
	var cli commandLine
	parser, err := newParser(ctx, &cli)
	if err != nil {
		return err
	}
	environment := loadEnvironment(parser.Model)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil && slices.ContainsFunc(args, isNegative) {
		err = fmt.Errorf("%w; a negative number goes after --, such as: wxgate send location -- -33.86 151.21", err)
	}
	if err != nil {
		printErrors(environment.err)
		parser.FatalIfErrorf(nameSettings(err, parser.Model))
	}
	if _, serves := reflect.TypeAssert[serverCommand](command.Selected().Target.Addr()); environment.err != nil && !serves {
		return environment.err
	}
	err = runInTime(ctx, func() error { return command.Run(environment) })
	return nameSettings(errors.Join(environment.err, err), parser.Model)
}

// newParser returns the parser of the command line; commands that it runs get ctx.
func newParser(ctx context.Context, cli *commandLine) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("wxgate"),
		kong.Description("The server side of a WeChat Official Account. Start with: wxgate dev"),
		kong.Vars{"version": programVersion(), "internal_listen": "127.0.0.1:8001"},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.WithHyphenPrefixedParameters(true),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
}

func isNegative(arg string) bool {
	n, err := strconv.ParseFloat(arg, 64)
	return err == nil && n < 0
}

// reportFailure prints the errors that end the process. It waits at most a second for stderr to accept them.
func reportFailure(err error) {
	printed := make(chan struct{})
	go func() { printErrors(err); close(printed) }()
	select {
	case <-printed:
	case <-time.After(time.Second):
	}
}

// printErrors prints each error once, one to a line: several services of a process may report the same error in a file.
func printErrors(err error) {
	if err == nil {
		return
	}
	printed := map[string]bool{}
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		if !printed[line] {
			fmt.Fprintln(os.Stderr, "wxgate: "+line)
		}
		printed[line] = true
	}
}
