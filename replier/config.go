package replier

import (
	"errors"
	"log/slog"

	"wxgate/internal/accounts"
	"wxgate/internal/backlog"
	"wxgate/internal/configfile"
	"wxgate/internal/service"
	"wxgate/replier/rules"
)

// Config configures a replier. Complete checks it. The zero Env logs to slog's default and has metrics of its own.
type Config struct {
	Env      service.Env
	Listen   string             // gRPC address
	Rules    string             // rules file, loaded again when it changes; "": the built-in rules
	Demo     bool               // the built-in rules begin with one that forwards to the handler "slow"
	Handlers map[string]Handler // bots in this process, by name
	Accounts accounts.Source    // the accounts of a file may have rules files of their own; a list is not needed

	OnceMemory int // bytes for answers that are kept for WeChat's retries; 0: 64 MiB
	BotMemory  int // bytes for messages that wait for bots, some 50 kB each; 0: 256 MiB

	Slow     accounts.Slow    // for an answer that is not ready while WeChat waits, if neither rule nor account has its own
	Backlog  *backlog.Backlog // stores messages that are answered later; nil: they are not stored
	OAuth    service.Target   // an oauthsvc, which sends the answers that are late; not set: none
	BusyText string           // a user reads it if the answer fails after WeChat has stopped waiting; blank: nothing
}

// Completed is a Config that Complete found right. Backlog and OAuth may still be set: they come from the store and from
// another service, which are opened after all configurations of the process were checked.
type Completed struct {
	Config
	liveRules *configfile.Live[*ruleSets]
}

// Complete checks the configuration, and compiles the rules. The error has everything that is wrong in both; that of the
// files is configfile.Problems.
func (c Config) Complete() (*Completed, error) {
	c.setDefaults()
	liveRules, err := configfile.Open("rules", c.Accounts.Cache, c.readRuleSets)
	if err := errors.Join(c.checkLimits(), err); err != nil {
		return nil, err
	}
	return &Completed{c, liveRules}, nil
}

// readRules reads a rules file, or the built-in rules if path is "". The result is nil if there are problems.
func (c Config) readRules(load *configfile.Load, path string) *rules.Rules {
	handlers := map[string]bool{}
	for name, handler := range c.Handlers {
		handlers[name] = handler != nil
	}
	return rules.Options{Handlers: handlers, Demo: c.Demo}.Read(load, path)
}

func (c Config) checkLimits() error {
	var errs []error
	if c.OnceMemory < 0 {
		errs = append(errs, service.BadSetting("once memory", "less than 0; expected MiB, 0 for the default"))
	}
	if c.BotMemory < 0 {
		errs = append(errs, service.BadSetting("bot memory", "less than 0; expected MiB, 0 for the default"))
	}
	if err := c.Slow.Validate(); err != nil {
		errs = append(errs, service.BadSetting("slow", "%w", err))
	}
	return errors.Join(errs...)
}

// defaultOnceMemory holds the answers of a minute at some 5,000 messages a second, if they are short texts.
const defaultOnceMemory = 64 << 20

// defaultBotMemory holds some 5,000 messages that wait for bots.
const defaultBotMemory = 256 << 20

func (c *Config) setDefaults() {
	if c.Handlers == nil {
		c.Handlers = map[string]Handler{}
	}
	if c.OnceMemory == 0 {
		c.OnceMemory = defaultOnceMemory
	}
	if c.BotMemory == 0 {
		c.BotMemory = defaultBotMemory
	}
	if c.Env.Log == nil {
		c.Env = service.NewEnv(slog.Default())
	}
}
