package cli

import (
	"testing"

	"wxgate/fakewechat"
)

// The mode counts without a token too.
func TestFakeAccountMode(t *testing.T) {
	for _, c := range []struct {
		flags accountFlags
		want  fakewechat.Mode
	}{
		{accountFlags{}, fakewechat.Compat},
		{accountFlags{Mode: "safe"}, fakewechat.Safe},
		{accountFlags{Token: "t"}, fakewechat.Plain},
		{accountFlags{Token: "t", AESKey: "k"}, fakewechat.Safe},
		{accountFlags{Token: "t", AESKey: "k", Mode: "compat"}, fakewechat.Compat},
	} {
		if got := fakeAccount(c.flags, "").Mode; got != c.want {
			t.Errorf("%+v: mode %q, want %q", c.flags, got, c.want)
		}
	}
}
