package accounts

// Set is the accounts of one moment; T is the form in which its user needs an account.
type Set[T any] struct {
	ByName map[string]T
	Main   string // the name of the first account
}

// NewSet returns an empty set. The first account that is added is the main one.
func NewSet[T any]() *Set[T] { return &Set[T]{ByName: map[string]T{}} }

// Add adds an account, which replaces one of the same name.
func (s *Set[T]) Add(name string, account T) {
	if len(s.ByName) == 0 {
		s.Main = name
	}
	s.ByName[name] = account
}

// Find returns an account; "" names the main one.
func (s *Set[T]) Find(name string) (account T, known bool) {
	if name == "" {
		name = s.Main
	}
	account, known = s.ByName[name]
	return account, known
}
