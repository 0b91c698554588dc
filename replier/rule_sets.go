package replier

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
	replierv1 "wxgate/proto/replier/v1"
	"wxgate/replier/rules"
)

// book is all rules of a replier. It is immutable: a message ends with the book that it began with.
type book struct {
	main     *edition
	accounts map[string]*edition // of those with a rules file of their own

	listed bool                    // there is an accounts file
	rules  map[string]accountRules // what it says
}

// accountRules is what the accounts file says of an account to its replier.
type accountRules struct {
	name, path string // path: its own rules file; "": none
	slow       accounts.Slow
	hasSecret  bool
}

// account returns what is said of an account. Without an accounts file there is one, which has what this process has.
func (b *book) account(name string) accountRules {
	if !b.listed {
		return accountRules{name: name, hasSecret: true}
	}
	a := b.rules[name]
	a.name = name
	return a
}

// edition is a rules file as it was loaded.
type edition struct {
	path     string // "": the built-in rules
	rules    *rules.Rules
	version  int
	hash     string
	at       time.Time
	files    []string
	problems configfile.Problems // of the file as it is now
	read     *configfile.Load    // the last time
}

// edition returns the rules of an account; an unknown one has the main ones.
func (b *book) edition(account string) *edition {
	if own := b.accounts[account]; own != nil {
		return own
	}
	return b.main
}

// readBook loads what changed of the rules. One file that is refused does not stop the others: its older edition goes on.
func (c Config) readBook(load *configfile.Load, before *book) *book {
	if before == nil {
		before = &book{}
	}
	b := &book{listed: c.AccountsFile != "", rules: c.accountRules(load, before), accounts: map[string]*edition{}}
	b.main = c.readEdition(load, c.Rules, before.main)
	byPath := map[string]*edition{c.Rules: b.main}
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		path := b.rules[name].path
		if path == "" {
			continue
		}
		if byPath[path] == nil {
			byPath[path] = c.readEdition(load, path, before.ofPath(path))
		}
		b.accounts[name] = byPath[path]
	}
	return b
}

// accountRules reads the accounts file.
func (c Config) accountRules(load *configfile.Load, before *book) map[string]accountRules {
	if c.AccountsFile == "" {
		return nil
	}
	read := &configfile.Load{}
	list := accounts.ReadFile(read, c.AccountsFile, accounts.Replier)
	if read.Err() != nil && before.main != nil { // refused: the accounts of before go on
		load.Add(read)
		return before.rules
	}
	load.Need(read)
	all := map[string]accountRules{}
	for _, a := range list {
		all[a.Name] = accountRules{name: a.Name, path: a.Rules, slow: a.Slow, hasSecret: a.HasSecret}
	}
	configfile.NoteNames(load, before.rules, all)
	return all
}

// ofPath returns the edition of a file; nil where there is none.
func (b *book) ofPath(path string) *edition {
	for _, e := range b.accounts {
		if e.path == path {
			return e
		}
	}
	return nil
}

// editions returns each edition once.
func (b *book) editions() []*edition {
	all := []*edition{b.main}
	for _, name := range slices.Sorted(maps.Keys(b.accounts)) {
		if e := b.accounts[name]; !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

func (c Config) readEdition(load *configfile.Load, path string, before *edition) *edition {
	if before != nil && !before.read.Changed() {
		load.Add(before.read)
		return before
	}
	read := &configfile.Load{}
	loaded := c.readRules(read, path)
	if before == nil {
		load.Need(read)
	} else {
		load.Add(read)
	}
	if loaded != nil {
		e := &edition{path: path, rules: loaded, version: 1, hash: hash(path, read), at: time.Now(), files: read.Files(), read: read}
		if before != nil {
			e.version = before.version + 1
		}
		return e
	}
	if before == nil {
		return nil
	}
	older := *before
	older.problems, older.read = read.Problems, read
	return &older
}

// hash returns the hash of a rules file, or of the built-in rules.
func hash(path string, read *configfile.Load) string {
	if path != "" {
		return read.Hash()
	}
	sum := sha256.Sum256([]byte(rules.Builtin()))
	return hex.EncodeToString(sum[:])
}

func (e *edition) proto() *replierv1.GetRulesResponse {
	return &replierv1.GetRulesResponse{
		Version:   int64(e.version),
		Hash:      e.hash,
		LoadTime:  timestamppb.New(e.at),
		RuleCount: int32(e.rules.RuleCount()),
		Files:     e.files,
		Warnings:  protoProblems(e.rules.Warnings()),
		Problems:  protoProblems(e.problems),
	}
}

func protoProblems(problems configfile.Problems) []*replierv1.RulesProblem {
	var all []*replierv1.RulesProblem
	for _, p := range problems {
		all = append(all, &replierv1.RulesProblem{File: p.File, Line: int32(p.Line), Column: int32(p.Column), In: p.In, Text: p.Text})
	}
	return all
}
