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

	"wxgate/gateway"
	"wxgate/internal/service"
)

// commands is the command line.
type commands struct {
	Dev        devCmd        `cmd:"" help:"Run everything in one process with a fake WeChat: no account, no file, no Docker."`
	Serve      serveCmd      `cmd:"" help:"Run gateway, replier and oauthsvc in one process."`
	Gateway    gatewayCmd    `cmd:"" help:"Run the gateway alone."`
	Replier    replierCmd    `cmd:"" help:"Run the replier alone."`
	Oauthsvc   oauthsvcCmd   `cmd:"" help:"Run the oauth service alone."`
	Fakewechat fakewechatCmd `cmd:"" help:"Run the fake WeChat platform alone. Not for production."`
	Send       sendCmd       `cmd:"" help:"Send one signed callback to a gateway, as WeChat would, and show the reply."`
	Load       loadCmd       `cmd:"" help:"Send signed callbacks of many users to a gateway at a steady rate, and report latencies and failures."`
	Decode     decodeCmd     `cmd:"" help:"Read one callback body on stdin, print the message as JSON."`
	Rules      struct {
		Check  checkCmd  `cmd:"" help:"Check rules files, and run the expectations in them."`
		Try    tryCmd    `cmd:"" help:"Show which rule answers the message on stdin (XML or JSON), with what, and why not those before it."`
		Schema schemaCmd `cmd:"" help:"Print the JSON Schema of rules files, for editors."`
	} `cmd:"" help:"Work with rules files."`
	Health healthCmd `cmd:"" help:"Ask a process for its health; exit 0 where it is good."`

	Version kong.VersionFlag `help:"Print the version."`
}

type appFlags struct {
	AppID string `name:"app-id" env:"WECHAT_APP_ID" placeholder:"wx…" help:"AppID."`
}

type appSecretFlags struct {
	AppSecret service.Secret `name:"app-secret" env:"WECHAT_APP_SECRET" placeholder:"SECRET" help:"AppSecret; only oauthsvc reads it."`
}

type accountFlags struct {
	appFlags
	Token  service.Secret `name:"token" env:"WECHAT_TOKEN" placeholder:"TOKEN" help:"The callback URL's token; only the gateway reads it."`
	AESKey service.Secret `name:"aes-key" env:"WECHAT_AES_KEY" placeholder:"KEY" help:"EncodingAESKey, 43 characters."`
	Mode   string         `name:"mode" env:"WECHAT_MODE" placeholder:"MODE" help:"plain, compat or safe; by default safe where an AES key is given, else plain."`
}

// mode returns the mode that is set, or the one that follows from the AES key.
func (f accountFlags) mode() gateway.Mode {
	switch {
	case f.Mode != "":
		return gateway.Mode(f.Mode)
	case f.AESKey != "":
		return gateway.Safe
	}
	return gateway.Plain
}

type publicFlags struct {
	Listen       string         `name:"listen" env:"WXGATE_LISTEN" default:":8000" help:"Public address: callbacks and /oauth/."`
	PublicURL    string         `name:"public-url" env:"WXGATE_PUBLIC_URL" placeholder:"URL" help:"Scheme and host that browsers use; by default the request's Host."`
	ReturnHosts  []string       `name:"return-hosts" env:"WXGATE_RETURN_HOSTS" placeholder:"HOST,…" help:"Hosts besides our own that a login may return to."`
	SessionKey   service.Secret `name:"session-key" env:"WXGATE_SESSION_KEY" placeholder:"KEY" help:"Keys of login sessions, at least 32 characters each, the same for all gateways, separated by commas: the first makes, all are accepted; by default one that is kept in --data-dir, else a new one at each start."`
	ReplyTimeout time.Duration  `name:"reply-timeout" env:"WXGATE_REPLY_TIMEOUT" default:"4.5s" help:"Time for an answer; WeChat hangs up after 5s."`
	MaxText      int            `name:"max-text" env:"WXGATE_MAX_TEXT" default:"2048" help:"Bytes of a text reply that WeChat shows; longer ones are cut; 0 for any."`
	MaxSkew      time.Duration  `name:"max-skew" env:"WXGATE_MAX_SKEW" default:"5m" help:"How far a callback's timestamp may be from our clock; 0 for any."`
}

type internalFlags struct {
	InternalListen string `name:"internal-listen" env:"WXGATE_INTERNAL_LISTEN" default:"${internal_listen}" help:"Internal address: /metrics, /livez, /readyz; of a gateway REST too."`
}

type debugFlags struct {
	Debug bool `name:"debug" env:"WXGATE_DEBUG" help:"Show the last callbacks, with what users write, at /debug/callbacks of the internal address; on in dev."`
}

// warnOfDebug tells that users' words can be read.
func (f debugFlags) warnOfDebug(env service.Env) {
	if f.Debug {
		env.Log.Warn("debugging is on: /debug/callbacks on the internal address shows what users write", "flag", "debug")
	}
}

type replierFlags struct {
	ReplierListen string    `name:"replier-listen" env:"WXGATE_REPLIER_LISTEN" default:"127.0.0.1:9001" help:"The replier's gRPC address."`
	Rules         string    `name:"rules" env:"WXGATE_RULES" placeholder:"FILE" help:"Rules file; by default the built-in rules."`
	OnceMemory    mebibytes `name:"once-memory" env:"WXGATE_ONCE_MEMORY" default:"64" help:"MiB for answers that are kept a minute for WeChat's retries."`
	BotMemory     mebibytes `name:"bot-memory" env:"WXGATE_BOT_MEMORY" default:"256" help:"MiB for messages that wait for bots, about 50 kB each: when it is used up, users read the busy text at once. One account uses at most four fifths of it."`
}

type oauthFlags struct {
	OAuthListen string `name:"oauth-listen" env:"WXGATE_OAUTH_LISTEN" default:"127.0.0.1:9002" help:"The oauth service's gRPC address."`
	storeFlags
}

type upstreamFlags struct {
	APIURL  string `name:"api-url" env:"WECHAT_API_URL" default:"https://api.weixin.qq.com,https://api2.weixin.qq.com" help:"WeChat's API, and behind a comma where it is if that fails."`
	OpenURL string `name:"open-url" env:"WECHAT_OPEN_URL" default:"https://open.weixin.qq.com" help:"WeChat's authorize page."`
}

type fakeFlags struct {
	FakeListen string `name:"fake-listen" env:"WXGATE_FAKE_LISTEN" default:"127.0.0.1:8010" help:"The fake platform's address."`
	Faults     string `name:"faults" env:"WXGATE_FAULTS" placeholder:"NAME=VALUE,…" help:"How the fake platform misbehaves, such as lose=0.1,delay=2s,seed=7; docs/FAKE.md has all."`
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
	var cli commands
	parser, err := newParser(ctx, &cli)
	if err != nil {
		return err
	}
	wrong := loadEnvironment(parser.Model)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil && slices.ContainsFunc(args, isNegative) {
		err = fmt.Errorf("%w; a negative number goes behind --, such as: wxgate send location -- -33.86 151.21", err)
	}
	if err != nil {
		printErrors(wrong.err)
	}
	parser.FatalIfErrorf(err)
	if _, serves := reflect.TypeAssert[serverCommand](command.Selected().Target.Addr()); wrong.err != nil && !serves {
		return wrong.err
	}
	return errors.Join(wrong.err, runInTime(ctx, func() error { return command.Run(wrong) }))
}

// newParser returns the parser of the command line; commands that it runs get ctx.
func newParser(ctx context.Context, cli *commands) (*kong.Kong, error) {
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

// printErrors prints a line for each error; nil for none. Services of one process may say the same of a file that all read.
func printErrors(err error) {
	if err == nil {
		return
	}
	said := map[string]bool{}
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		if !said[line] {
			fmt.Fprintln(os.Stderr, "wxgate: "+line)
		}
		said[line] = true
	}
}
