package oauthsvc

import (
	"wxgate/internal/accounts"
	"wxgate/internal/configfile"
)

type accountSet = accounts.Set[accounts.Account]

func newAccountSet(list ...accounts.Account) *accountSet {
	set := accounts.NewSet[accounts.Account]()
	for _, a := range list {
		set.Add(a.Name, a)
	}
	return set
}

// loadAccountSet reads an accounts file; nil if it has problems.
func loadAccountSet(load *configfile.Load, path string, before *accountSet) *accountSet {
	list := accounts.ReadFile(load, path, accounts.OAuth)
	if load.Err() != nil {
		return nil
	}
	next := newAccountSet(list...)
	if before != nil {
		configfile.NoteNames(load, before.ByName, next.ByName)
	}
	return next
}
