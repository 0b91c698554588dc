package fakewechat

import "sync"

const (
	maxUsers = 10_000 // known at a time; whoever came first is forgotten first
	maxSent  = 1000   // customer-service messages, of all users
)

// apiStore is what the account's API calls know. All of it is guarded by mu.
type apiStore struct {
	mu sync.Mutex
	apiState
}

// apiState is what is forgotten on Reset.
type apiState struct {
	tokens        capped[*credential] // access_tokens, by value
	stable, plain *credential         // the latest of each family
	ticket        *credential         // of the JS-SDK
	forced        forced
	refuseIP      bool

	quota quota
	users capped[*user]
	sent  []CustomMessage // oldest first
}

func newAPIStore() *apiStore { return &apiStore{apiState: newAPIState(map[string]int{})} }

func newAPIState(daily map[string]int) apiState {
	s := apiState{
		tokens: newCapped[*credential](maxKept),
		users:  newCapped[*user](maxUsers),
		quota:  quota{daily: daily, used: map[string]int{}},
	}
	s.users.put(User, &user{})
	return s
}
