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

// ruleSets are all rules of a replier. They are immutable: a message is answered by the rules that were active when it came.
type ruleSets struct {
	main      *ruleSet
	byAccount map[string]*ruleSet // of accounts with a rules file of their own

	hasAccountsFile bool
	settings        map[string]accountSettings // by account, from the accounts file
}

// accountSettings are a replier's settings of an account, from the accounts file.
type accountSettings struct {
	name, path string // path: its own rules file; "": none
	slow       accounts.Slow
	hasSecret  bool
}

// accountOf returns the settings of an account. Without an accounts file every name is the single account of this process.
func (s *ruleSets) accountOf(name string) accountSettings {
	if !s.hasAccountsFile {
		return accountSettings{name: name, hasSecret: true}
	}
	a := s.settings[name]
	a.name = name
	return a
}

// ruleSet is a rules file as it was loaded.
type ruleSet struct {
	path     string // "": the built-in rules
	rules    *rules.Rules
	version  int
	hash     string
	loadTime time.Time
	files    []string
	problems configfile.Problems // of the file as it is now
	read     *configfile.Load    // the last one
}

// ruleSetOf returns the rules of an account: the main ones, unless it has a file of its own.
func (s *ruleSets) ruleSetOf(account string) *ruleSet {
	if own := s.byAccount[account]; own != nil {
		return own
	}
	return s.main
}

// readRuleSets loads the files that changed. A file with problems does not stop the others: its previous rules stay active.
func (c Config) readRuleSets(load *configfile.Load, before *ruleSets) *ruleSets {
	if before == nil {
		before = &ruleSets{}
	}
	s := &ruleSets{hasAccountsFile: c.Accounts.File != "", settings: c.readAccounts(load, before), byAccount: map[string]*ruleSet{}}
	s.main = c.readRuleSet(load, c.Rules, before.main)
	byPath := map[string]*ruleSet{c.Rules: s.main}
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		path := s.settings[name].path
		if path == "" {
			continue
		}
		if byPath[path] == nil {
			byPath[path] = c.readRuleSet(load, path, before.findByPath(path))
		}
		s.byAccount[name] = byPath[path]
	}
	return s
}

// readAccounts reads the accounts file.
func (c Config) readAccounts(load *configfile.Load, before *ruleSets) map[string]accountSettings {
	if c.Accounts.File == "" {
		return nil
	}
	read := load.NewPart()
	list := accounts.ReadFile(read, c.Accounts.File, accounts.Replier)
	if read.Err() != nil && before.main != nil { // rejected: the previous accounts stay active
		load.AddPart(read)
		return before.settings
	}
	load.RequirePart(read)
	all := map[string]accountSettings{}
	for _, a := range list {
		all[a.Name] = accountSettings{name: a.Name, path: a.Rules, slow: a.Slow, hasSecret: a.HasSecret}
	}
	configfile.NoteNames(load, before.settings, all)
	return all
}

// findByPath returns the rules of a file; nil if no account uses it.
func (s *ruleSets) findByPath(path string) *ruleSet {
	for _, e := range s.byAccount {
		if e.path == path {
			return e
		}
	}
	return nil
}

// allSets returns each rule set once.
func (s *ruleSets) allSets() []*ruleSet {
	all := []*ruleSet{s.main}
	for _, name := range slices.Sorted(maps.Keys(s.byAccount)) {
		if e := s.byAccount[name]; !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// readRuleSet loads a rules file if it changed. If it has problems, the previous rules stay active, with the problems noted.
func (c Config) readRuleSet(load *configfile.Load, path string, before *ruleSet) *ruleSet {
	if before != nil && !before.read.HasChanged() {
		load.AddPart(before.read)
		return before
	}
	read := load.NewPart()
	loaded := c.readRules(read, path)
	if before == nil {
		load.RequirePart(read)
	} else {
		load.AddPart(read)
	}
	if loaded != nil {
		e := &ruleSet{path: path, rules: loaded, version: 1, hash: hashOf(path, read), loadTime: time.Now(), files: read.FilePaths(), read: read}
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

// hashOf returns the hash of a rules file, or of the built-in rules.
func hashOf(path string, read *configfile.Load) string {
	if path != "" {
		return read.Hash()
	}
	sum := sha256.Sum256([]byte(rules.Builtin()))
	return hex.EncodeToString(sum[:])
}

func (e *ruleSet) toProto() *replierv1.GetRulesResponse {
	return &replierv1.GetRulesResponse{
		Version:   int64(e.version),
		Hash:      e.hash,
		LoadTime:  timestamppb.New(e.loadTime),
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
