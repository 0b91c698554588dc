package cli

import (
	"testing"

	"wxgate/fakewechat/sender"
)

// The mode counts without a token too.
func TestFakeAccountMode(t *testing.T) {
	for _, c := range []struct {
		flags accountFlags
		want  sender.Mode
	}{
		{accountFlags{}, sender.Compat},
		{accountFlags{Mode: "safe"}, sender.Safe},
		{accountFlags{Token: "t"}, sender.Plain},
		{accountFlags{Token: "t", AESKey: "k"}, sender.Safe},
		{accountFlags{Token: "t", AESKey: "k", Mode: "compat"}, sender.Compat},
	} {
		if got := fakeAccount(c.flags, "").Mode; got != c.want {
			t.Errorf("%+v: mode %q, want %q", c.flags, got, c.want)
		}
	}
}
