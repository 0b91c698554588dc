package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"wxgate/gateway"
	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/internal/store"
	"wxgate/oauthsvc"
	"wxgate/replier"
)

// serverFlags are those of every command that serves.
type serverFlags struct {
	service.LogFlags
	service.GuardFlags
}

type appIDFlags struct {
	AppID string `name:"app-id" env:"WECHAT_APP_ID" placeholder:"wx…" help:"The account's AppID."`
}

type appSecretFlags struct {
	AppSecret service.Secret `name:"app-secret" env:"WECHAT_APP_SECRET" placeholder:"SECRET" help:"The account's AppSecret; only oauthsvc reads it. Without one there is no login, and no late answer can be pushed."`
}

// accountFlags describe the only account of a process.
type accountFlags struct {
	appIDFlags
	Token  service.Secret `name:"token" env:"WECHAT_TOKEN" placeholder:"TOKEN" help:"The callback URL's token; only the gateway reads it."`
	AESKey service.Secret `name:"aes-key" env:"WECHAT_AES_KEY" placeholder:"KEY" help:"EncodingAESKey, 43 characters; modes compat and safe need it."`
	Mode   string         `name:"mode" env:"WECHAT_MODE" placeholder:"MODE" help:"plain, compat or safe, as in the account's console; by default safe if an AES key is given, else plain."`
}

// effectiveMode returns the mode that is set, or the one that follows from the AES key.
func (f accountFlags) effectiveMode() accounts.Mode {
	switch {
	case f.Mode != "":
		return accounts.Mode(f.Mode)
	case f.AESKey != "":
		return accounts.Safe
	}
	return accounts.Plain
}

// accountsFlag is of the commands that can serve several accounts.
type accountsFlag struct {
	Accounts string `name:"accounts" env:"WXGATE_ACCOUNTS" placeholder:"FILE" help:"YAML file that lists several accounts; it replaces --app-id, --token, --aes-key, --mode and --app-secret. It is read again when it changes."`
}

// gatewaySource returns the accounts of a gateway. pushable: an oauthsvc may have the single account's AppSecret.
func (f accountsFlag) gatewaySource(single accountFlags, pushable bool, cache *configfile.Cache) accounts.Source {
	return f.source(accounts.Account{Name: accounts.DefaultName, AppID: single.AppID, Token: single.Token, AESKey: single.AESKey,
		Mode: single.effectiveMode(), HasSecret: pushable}, cache)
}

// oauthSource returns the accounts of an oauthsvc.
func (f accountsFlag) oauthSource(appID string, secret service.Secret, cache *configfile.Cache) accounts.Source {
	return f.source(accounts.Account{Name: accounts.DefaultName, AppID: appID, AppSecret: secret}, cache)
}

func (f accountsFlag) source(single accounts.Account, cache *configfile.Cache) accounts.Source {
	if f.Accounts != "" {
		return accounts.Source{File: f.Accounts, Cache: cache}
	}
	return accounts.Source{List: []accounts.Account{single}}
}

// checkSingle reports the settings of a single account that are given besides the file of accounts.
func (f accountsFlag) checkSingle(single accountFlags, secret service.Secret) error {
	if f.Accounts == "" {
		return nil
	}
	var errs []error
	for _, setting := range []struct {
		name  string
		given bool
	}{
		{"app id", single.AppID != ""},
		{"token", single.Token != ""},
		{"aes key", single.AESKey != ""},
		{"mode", single.Mode != ""},
		{"app secret", secret != ""},
	} {
		if setting.given {
			errs = append(errs, service.BadSetting(setting.name, "given besides --accounts (WXGATE_ACCOUNTS); the file has all of it, give one of them"))
		}
	}
	return errors.Join(errs...)
}

// hasSecret reports whether an account of the file has an AppSecret. Errors in the file are the services' to report.
func (f accountsFlag) hasSecret(cache *configfile.Cache) bool {
	return f.Accounts != "" && slices.ContainsFunc(accounts.ReadFile(cache.NewLoad(), f.Accounts, accounts.Replier),
		func(a accounts.Account) bool { return a.HasSecret })
}

type publicFlags struct {
	Listen       string         `name:"listen" env:"WXGATE_LISTEN" default:":8000" help:"Public address, HOST:PORT: callbacks and /oauth/."`
	PublicURL    string         `name:"public-url" env:"WXGATE_PUBLIC_URL" placeholder:"URL" help:"Scheme and host that browsers use, such as https://wx.example.com; by default the request's Host."`
	ReturnHosts  []string       `name:"return-hosts" env:"WXGATE_RETURN_HOSTS" placeholder:"HOST,…" help:"Hosts besides the gateway's own to which a login may return; by default none."`
	SessionKey   service.Secret `name:"session-key" env:"WXGATE_SESSION_KEY" placeholder:"KEY,…" help:"Keys of login sessions, at least 32 characters each, the same for all gateways: the first signs, all are accepted. By default one that is kept in --data-dir, else a new one at each start, which ends all logins."`
	ReplyTimeout time.Duration  `name:"reply-timeout" env:"WXGATE_REPLY_TIMEOUT" default:"4.5s" help:"How long a callback may take; WeChat hangs up after 5s. An answer that is not ready by then is slow: see --slow."`
	MaxText      int            `name:"max-text" env:"WXGATE_MAX_TEXT" default:"2048" help:"Longest text reply that WeChat shows, in bytes; longer ones are cut; 0: no limit."`
	MaxSkew      time.Duration  `name:"max-skew" env:"WXGATE_MAX_SKEW" default:"5m" help:"How far a callback's timestamp may be from this machine's clock; others are rejected; 0: no limit."`
}

// gatewayConfig returns a gateway's configuration without accounts and other services.
func (f publicFlags) gatewayConfig(env service.Env) gateway.Config {
	return gateway.Config{
		Env:          env.ForService("gateway"),
		Listen:       f.Listen,
		ReplyTimeout: f.ReplyTimeout,
		MaxText:      f.MaxText,
		MaxSkew:      f.MaxSkew,
		PublicURL:    f.PublicURL,
		ReturnHosts:  f.ReturnHosts,
		SessionKey:   f.SessionKey,
	}
}

type internalFlags struct {
	InternalListen string `name:"internal-listen" env:"WXGATE_INTERNAL_LISTEN" default:"${internal_listen}" help:"Internal address, HOST:PORT: /metrics, /livez, /readyz; a gateway's serves REST too."`
}

type debugFlags struct {
	Debug bool `name:"debug" env:"WXGATE_DEBUG" help:"Show the last callbacks, with what users write, at /debug/callbacks of the internal address. Off by default; always on in dev."`
}

// warnOfDebug logs that the texts of users can be read.
func (f debugFlags) warnOfDebug(env service.Env) {
	if f.Debug {
		env.Log.Warn("debugging is on: /debug/callbacks on the internal address shows what users write", "flag", "debug")
	}
}

type replierFlags struct {
	ReplierListen string    `name:"replier-listen" env:"WXGATE_REPLIER_LISTEN" default:"127.0.0.1:9001" help:"The replier's gRPC address, HOST:PORT."`
	Rules         string    `name:"rules" env:"WXGATE_RULES" placeholder:"FILE" help:"YAML file of rules, read again when it changes; by default the built-in rules."`
	OnceMemory    mebibytes `name:"once-memory" env:"WXGATE_ONCE_MEMORY" default:"64" help:"Memory for answers that are kept a minute for WeChat's retries, in MiB; when it is full, the oldest are forgotten."`
	BotMemory     mebibytes `name:"bot-memory" env:"WXGATE_BOT_MEMORY" default:"256" help:"Memory for messages that wait for bots, in MiB; each takes about 50 kB. When it is full, users read the busy text at once. One account uses at most four fifths of it."`
}

// replierConfig returns a replier's configuration without accounts and other services.
func (f replierFlags) replierConfig(env service.Env) replier.Config {
	return replier.Config{Env: env.ForService("replier"), Listen: f.ReplierListen, Rules: f.Rules,
		OnceMemory: f.OnceMemory.bytes(), BotMemory: f.BotMemory.bytes()}
}

type oauthFlags struct {
	OAuthListen string `name:"oauth-listen" env:"WXGATE_OAUTH_LISTEN" default:"127.0.0.1:9002" help:"The oauth service's gRPC address, HOST:PORT."`
}

// oauthConfig returns an oauthsvc's configuration without accounts and store.
func (f oauthFlags) oauthConfig(env service.Env, upstream upstreamFlags) oauthsvc.Config {
	return oauthsvc.Config{Env: env.ForService("oauthsvc"), Listen: f.OAuthListen, APIURL: upstream.APIURL, OpenURL: upstream.OpenURL}
}

type upstreamFlags struct {
	APIURL  string `name:"api-url" env:"WECHAT_API_URL" default:"https://api.weixin.qq.com,https://api2.weixin.qq.com" help:"WeChat's API; after a comma the one to use if it fails."`
	OpenURL string `name:"open-url" env:"WECHAT_OPEN_URL" default:"https://open.weixin.qq.com" help:"WeChat's authorize page."`
}

// storeFlags say where state that must survive a restart is kept.
type storeFlags struct {
	DataDir string `name:"data-dir" env:"WXGATE_DATA_DIR" placeholder:"DIR" help:"Directory for what must survive a restart: users' tokens, messages that still need an answer. By default these end with the process. Not with --nats."`
	natsFlags
}

type natsFlags struct {
	NATS service.Secret `name:"nats" env:"WXGATE_NATS" placeholder:"URL,…" help:"NATS cluster that keeps what must survive a restart, for several replicas: nats://user:password@host:4222. By default none."`
}

func (f storeFlags) storeConfig(env service.Env) store.Config {
	return store.Config{Env: env.ForService("store"), Dir: f.DataDir, URL: f.NATS.Reveal()}
}

// isDurable reports whether the store survives the process.
func (f storeFlags) isDurable() bool { return f.DataDir != "" || f.NATS != "" }

// openStore opens the store, also while a cluster is unreachable.
func (f storeFlags) openStore(env service.Env) (*store.Store, error) {
	cfg := f.storeConfig(env)
	cfg.Patient = true
	return store.Open(cfg)
}

// warnOfLoss logs what a restart ends.
func (f storeFlags) warnOfLoss(env service.Env) {
	if !f.isDurable() {
		env.Log.Warn("neither --data-dir nor --nats is set: users' tokens, and messages that still need an answer, end with this process")
	}
}

// slowFlags say how an answer reaches the user if it is not ready while WeChat waits, and what the user reads if none will.
type slowFlags struct {
	Slow     string `name:"slow" env:"WXGATE_SLOW" placeholder:"WAY" help:"What happens to an answer that is not ready in time: push (sent later as a customer-service message), hold (WeChat's second or third attempt gets it), later (the user's next message gets it) or drop. By default push if that is possible, else hold."`
	BusyText string `name:"busy-text" env:"WXGATE_BUSY_TEXT" default:"系统繁忙，请稍后再试。" help:"Text that users read if no answer will come: too many messages wait, nothing answered WeChat's third attempt, or the answer failed after WeChat had stopped waiting. Empty counts as unset; a space says nothing."`
}

func (f slowFlags) slowPolicy() accounts.Slow { return accounts.Slow{How: accounts.How(f.Slow)} }

// backlogFlags limit the messages that are stored because they still need an answer.
type backlogFlags struct {
	BacklogSize mebibytes `name:"backlog-size" env:"WXGATE_BACKLOG_SIZE" default:"256" help:"Space for messages that still need an answer, in MiB; when it is full, no more are stored and their users read the busy text."`
}

func (f backlogFlags) newBacklog(env service.Env, kept *store.Store) *backlog.Backlog {
	return backlog.New(backlog.Config{Env: env, Store: kept, Size: f.BacklogSize.bytes()})
}

// mebibytes is a size in MiB, as a flag gives it.
type mebibytes int

// maxMebibytes is 1 TiB: more is a mistake, and much more would overflow.
const maxMebibytes = 1 << 20

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *mebibytes) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > maxMebibytes {
		return fmt.Errorf("expected a number of MiB from 1 to %d, got %q", maxMebibytes, text)
	}
	*m = mebibytes(n)
	return nil
}

func (m mebibytes) bytes() int { return int(m) << 20 }
