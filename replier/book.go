package replier

import (
	"time"

	"wxgate/internal/configfile"
	replierv1 "wxgate/proto/replier/v1"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// book is all rules of a replier. It is immutable: a message ends with the book that it began with.
type book struct {
	main     *edition
	accounts map[string]*edition // of those with a rules file of their own
}

// edition is a rules file as it was loaded.
type edition struct {
	rules    *Rules
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
	return &book{main: c.readEdition(load, c.Rules, before.main)}
}

func (c Config) readEdition(load *configfile.Load, path string, before *edition) *edition {
	if before != nil && !before.read.Changed() {
		load.Add(before.read)
		return before
	}
	read := &configfile.Load{}
	rules := readRules(read, path, c.Handlers)
	if before == nil {
		load.Need(read)
	} else {
		load.Add(read)
	}
	if rules != nil {
		e := &edition{rules: rules, version: 1, hash: read.Hash(), at: time.Now(), files: read.Files(), read: read}
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

func (e *edition) proto() *replierv1.GetRulesResponse {
	return &replierv1.GetRulesResponse{
		Version:   int64(e.version),
		Hash:      e.hash,
		LoadTime:  timestamppb.New(e.at),
		RuleCount: int32(e.rules.Len()),
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
