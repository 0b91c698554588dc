package accounts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Values of the tests. No problem may hold a secret.
const (
	testToken  = "hiddenToken"
	testKey    = "hiddenKeyOfTheTestsOfTheAccounts01234567890"
	testSecret = "hiddenAppSecret"
)

// put writes a file into a directory and returns its path.
func put(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reveal makes secrets comparable: a Secret hides itself from cmp's output, not from its comparison.
var reveal = cmp.Transformer("reveal", service.Secret.Reveal)

// full is an account with all keys, and its secrets in the file.
const full = `accounts:
  - name: shop
    app_id: wx0123456789abcdef
    token: ` + testToken + `
    aes_key: ` + testKey + `
    mode: compat
    app_secret: ` + testSecret + `
    original_id: gh_0123456789ab
    rules: rules/shop.yaml
    previous_token: hiddenTokenBefore
    previous_aes_key: hiddenKeyBeforehiddenKeyBeforehiddenKeyBef0
    previous_app_secret: hiddenSecretBefore
  - name: club
    token: "0123"
    rules: /etc/club.yaml
`

func TestRoles(t *testing.T) {
	dir := t.TempDir()
	path := put(t, dir, "accounts.yaml", full)
	shop := Account{Name: "shop", AppID: "wx0123456789abcdef", Mode: "compat", OriginalID: "gh_0123456789ab", Rules: filepath.Join(dir, "rules", "shop.yaml"), HasSecret: true}
	club := Account{Name: "club", Mode: "plain", Rules: "/etc/club.yaml"}
	forGateway, forOAuth := shop, shop
	forGateway.Token, forGateway.AESKey = testToken, testKey
	forGateway.PreviousToken, forGateway.PreviousAESKey = "hiddenTokenBefore", "hiddenKeyBeforehiddenKeyBeforehiddenKeyBef0"
	forOAuth.AppSecret, forOAuth.PreviousAppSecret = testSecret, "hiddenSecretBefore"
	clubOfGateway := club
	clubOfGateway.Token = "0123"
	for _, tt := range []struct {
		name string
		role Role
		want []Account
	}{
		{"replier", Replier, []Account{shop, club}},
		{"gateway", Gateway, []Account{forGateway, clubOfGateway}},
		{"oauthsvc", OAuth, []Account{forOAuth, club}},
	} {
		load := &configfile.Load{}
		got := ReadFile(load, path, tt.role)
		if diff := cmp.Diff(tt.want, got, reveal); diff != "" || load.Err() != nil {
			t.Errorf("%s: %v, accounts (-want +got):\n%s", tt.name, load.Err(), diff)
		}
	}
}

// Each role opens the files of its own secrets, and no other's: they are not there.
func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	path := put(t, dir, "accounts.yaml", `accounts:
  - name: shop
    app_id: wx0123456789abcdef
    token_file: token
    aes_key_file: secrets/key
    app_secret_file: `+dir+`/secret
    previous_token_file: previous_token
    previous_aes_key_file: previous_key
`)
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	sealed := Account{Name: "shop", AppID: "wx0123456789abcdef", Mode: "safe", HasSecret: true}
	gateway, oauth := sealed, sealed
	gateway.Token, gateway.AESKey, gateway.PreviousToken, gateway.PreviousAESKey = testToken, testKey, "hiddenTokenBefore", ""
	oauth.AppSecret = testSecret
	for _, tt := range []struct {
		name  string
		role  Role
		files map[string]string
		want  Account
	}{
		{"replier", Replier, nil, sealed},
		{"gateway", Gateway, map[string]string{"token": testToken + "\n", "secrets/key": testKey + "\r\n", "previous_token": "hiddenTokenBefore", "previous_key": testKey}, gateway},
		{"oauthsvc", OAuth, map[string]string{"secret": testSecret + "\n"}, oauth},
	} {
		want := []string{path}
		for file, text := range tt.files {
			put(t, dir, file, text)
		}
		load := &configfile.Load{}
		got := ReadFile(load, path, tt.role)
		if diff := cmp.Diff([]Account{tt.want}, got, reveal); diff != "" || load.Err() != nil {
			t.Errorf("%s: %v, accounts (-want +got):\n%s", tt.name, load.Err(), diff)
		}
		// Those that were read are watched.
		if got := load.FilePaths(); len(got) != len(tt.files)+len(want) || got[0] != path {
			t.Errorf("%s: read %q; want %s and %d secrets", tt.name, got, path, len(tt.files))
		}
		for file := range tt.files {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestMode(t *testing.T) {
	const head = "accounts: [{name: a, app_id: wx1, token: t"
	for text, want := range map[string]Mode{
		head + "}]":                           "plain",
		head + ", aes_key: " + testKey + "}]": "safe",
		head + ", aes_key: " + testKey + ", mode: compat}]":  "compat",
		head + ", mode: plain, aes_key_file: /nonexistent}]": "plain", // which needs no key
	} {
		load := &configfile.Load{}
		got := ReadFile(load, put(t, t.TempDir(), "a.yaml", text), Gateway)
		if load.Err() != nil || len(got) != 1 || got[0].Mode != want {
			t.Errorf("%s: %v, %v; want mode %s", text, got, load.Err(), want)
		}
	}
}

func TestProblems(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "empty", "\n")
	put(t, dir, "large", strings.Repeat("x", service.MaxSecretFile+1))
	put(t, dir, "marked", "\ufeffhidden\n")
	put(t, dir, "two_lines", "hidden\nToken\n")
	const (
		nameRule = "1 to 64 letters, digits, - or _"
		idRule   = "app_id: expected letters and digits, such as wx0123456789abcdef"
		ghRule   = "original_id: expected gh_ and letters and digits, as in the account's settings"
		noToken  = "token or token_file is missing: the token that the console has for the callback URL"
		odd      = "holds a space or another character that no secret of WeChat's has"
	)
	one := func(keys string) string {
		return "accounts: [{name: a, app_id: wx1, token: hiddenToken, " + keys + "}]"
	}
	all, gateway, oauth := []Role{Replier, Gateway, OAuth}, []Role{Gateway}, []Role{OAuth}
	for name, tt := range map[string]struct {
		roles []Role
		text  string
		want  []string // without the file's name
	}{
		"no accounts":            {all, "{}", []string{"1:1: accounts is missing; expected a list of accounts"}},
		"misspelt":               {all, "acounts: [{name: a}]", []string{`1:1: unknown key "acounts"; did you mean "accounts"?; expected accounts`}},
		"empty list":             {all, "accounts: []", []string{"1:11: expected a list with at least one item"}},
		"no list":                {all, "accounts: shop", []string{"1:11: expected a list with at least one item"}},
		"no account":             {all, "accounts: [hiddenToken]", []string{"1:12: account 1: expected " + keys}},
		"unknown key":            {all, one("app_secret: hiddenS, apid: x"), []string{`1:76: account "a": unknown key "apid"; did you mean "app_id"?; expected ` + keys}},
		"no space":               {[]Role{Replier, OAuth}, "accounts: [{name: a, app_secret: hiddenS, app_id: wx1, token:hiddenToken}]", []string{`1:56: account "a": token: expected a space after the colon`}},
		"key twice":              {all, one("app_secret: hiddenS, token: hiddenOther"), []string{`1:76: account "a": token: given twice`}},
		"no name":                {all, "accounts: [{app_id: wx1, token: hiddenToken, app_secret: hiddenS}]", []string{"1:12: account 1: name is missing; expected " + nameRule}},
		"empty name":             {all, "accounts: [{name: '', app_id: wx1, token: hiddenToken, app_secret: hiddenS}]", []string{"1:19: account 1: expected a text"}},
		"odd name":               {all, "accounts: [{name: a/b, app_id: wx1, token: hiddenToken, app_secret: hiddenS}]", []string{"1:19: account 1: name: expected " + nameRule}},
		"long name":              {all, "accounts: [{name: " + strings.Repeat("a", 65) + ", app_id: wx1, token: hiddenToken, app_secret: hiddenS}]", []string{"1:19: account 1: name: expected " + nameRule}},
		"name twice":             {all, one("app_secret: hiddenS}, {name: b, token: hiddenT}, {name: a, token: hiddenT"), []string{`1:111: account "a": name: account 1 has the same; expected a different one for each`}},
		"AppID twice":            {all, one("app_secret: hiddenS}, {name: b, token: hiddenT, app_id: wx1"), []string{`1:111: account "b": app_id: account 1 has the same; expected a different one for each`}},
		"original id twice":      {all, one("app_secret: hiddenS, original_id: gh_1}, {name: b, token: hiddenT, original_id: gh_1"), []string{`1:135: account "b": original_id: account 1 has the same; expected a different one for each`}},
		"odd AppID":              {all, "accounts: [{name: a, app_id: 'wx 1', token: hiddenToken, app_secret: hiddenS}]", []string{`1:30: account "a": ` + idRule}},
		"odd original id":        {all, one("app_secret: hiddenS, original_id: shop"), []string{`1:89: account "a": ` + ghRule}},
		"no AppID, AppSecret":    {all, "accounts: [{name: a, token: hiddenToken, app_secret: hiddenS}]", []string{`1:12: account "a": app_id is missing: an AppSecret is useless without it`}},
		"no AppID, safe":         {all, "accounts: [{name: a, token: hiddenToken, aes_key: " + testKey + "}, {name: b, app_id: wx2, token: t, app_secret: hiddenS}]", []string{`1:12: account "a": app_id is missing: mode safe checks it`}},
		"odd mode":               {all, one("app_secret: hiddenS, mode: aes"), []string{`1:82: account "a": mode: "aes"; expected plain, compat or safe`}},
		"token and its file":     {all, "accounts: [{name: a, token: hiddenToken, token_file: empty}]", []string{`1:54: account "a": token and token_file are both given; expected one`}},
		"secret that is no text": {all, one("app_secret: [hiddenS]"), []string{`1:67: account "a": expected a text`}},
		"empty rules":            {all, one("app_secret: hiddenS, rules: ''"), []string{`1:83: account "a": expected a text`}},
		"no token":               {gateway, "accounts: [{name: a}]", []string{`1:12: account "a": ` + noToken}},
		"no AES key":             {gateway, one("mode: safe"), []string{`1:12: account "a": aes_key or aes_key_file is missing: mode safe opens envelopes with it`}},
		"short AES key":          {gateway, one("aes_key: " + testKey[1:]), []string{`1:64: account "a": aes_key: an EncodingAESKey has 43 characters, this one has 42`}},
		"odd AES key":            {gateway, one("aes_key: '!" + testKey[1:] + "'"), []string{`1:64: account "a": aes_key: an EncodingAESKey has only the characters A-Z, a-z, 0-9, + and /`}},
		"short previous AES key": {gateway, one("aes_key: " + testKey + ", previous_aes_key: " + testKey[2:]), []string{`1:127: account "a": previous_aes_key: an EncodingAESKey has 43 characters, this one has 41`}},
		"no token file":          {gateway, "accounts: [{name: a, token_file: none}]", []string{`1:34: account "a": token_file: ` + dir + `/none: no such file or directory`}},
		"empty token file":       {gateway, "accounts: [{name: a, token_file: empty}]", []string{`1:34: account "a": token_file: ` + dir + `/empty is empty`}},
		"large token file":       {gateway, "accounts: [{name: a, token_file: large}]", []string{`1:34: account "a": token_file: ` + dir + `/large is not a file with a secret: it has 65537 bytes`}},
		"odd token file":         {gateway, "accounts: [{name: a, token_file: two_lines}]", []string{`1:34: account "a": token_file: ` + odd}},
		"marked token file":      {gateway, "accounts: [{name: a, token_file: marked}]", []string{`1:34: account "a": token_file: begins with a byte order mark; save the file as UTF-8 without one`}},
		"quoted token":           {gateway, "accounts: [{name: a, token: '\"hidden\"'}]", []string{`1:29: account "a": token: holds a quote; give the secret without quotes, which docker run --env-file and secret files keep`}},
		"odd token":              {gateway, "accounts: [{name: a, token: 'hidden Token'}]", []string{`1:29: account "a": token: ` + odd}},
		"previous token's file":  {gateway, one("previous_token_file: none"), []string{`1:76: account "a": previous_token_file: ` + dir + `/none: no such file or directory`}},
		"no AppSecret":           {oauth, one("mode: plain}, {name: b"), []string{"1:11: no account has an AppSecret; expected app_secret or app_secret_file in at least one"}},
		"no AppSecret file":      {oauth, one("app_secret_file: none"), []string{`1:72: account "a": app_secret_file: ` + dir + `/none: no such file or directory`}},
		"odd AppSecret":          {oauth, one("app_secret: hiddené"), []string{`1:67: account "a": app_secret: ` + odd}},
		"all at once": {gateway, "accounts:\n  - name: a b\n    token: [x]\n    mode: safe\n  - nam: c\n", []string{
			"2:11: account 1: name: expected " + nameRule,
			"3:12: account 1: expected a text",
			"2:5: account 1: app_id is missing: mode safe checks it",
			"2:5: account 1: aes_key or aes_key_file is missing: mode safe opens envelopes with it",
			`5:5: account 2: unknown key "nam"; did you mean "name"?; expected ` + keys,
			"5:5: account 2: name is missing; expected " + nameRule,
			"5:5: account 2: " + noToken,
		}},
	} {
		for _, role := range tt.roles {
			path := put(t, dir, "a.yaml", tt.text)
			load := &configfile.Load{}
			ReadFile(load, path, role)
			var got []string
			for _, p := range load.Problems {
				got = append(got, strings.TrimPrefix(p.String(), path+":"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, role %d: problems (-want +got):\n%s", name, role, diff)
			}
			if err := load.Err(); err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("%s: a secret is in the problem: %v", name, err)
			}
		}
	}
}

func TestNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	load := &configfile.Load{}
	if got := ReadFile(load, path, Gateway); got != nil || load.Err() == nil || load.Err().Error() != path+": no such file or directory" {
		t.Errorf("got %v, %v", got, load.Err())
	}
}

// The example is one for all roles.
func TestExample(t *testing.T) {
	for _, role := range []Role{Replier, Gateway, OAuth} {
		load := &configfile.Load{}
		got := ReadFile(load, filepath.Join("..", "..", "examples", "accounts.yaml"), role)
		var names []string
		for _, a := range got {
			names = append(names, a.Name+" "+string(a.Mode))
		}
		if diff := cmp.Diff([]string{"shop safe", "club safe"}, names); diff != "" || load.Err() != nil {
			t.Errorf("role %d: %v (-want +got):\n%s", role, load.Err(), diff)
		}
	}
}

// The file that the documents show is one too. Its secrets are in files that do not exist here.
func TestDocumentedFile(t *testing.T) {
	for _, name := range []string{"ACCOUNTS.md", "ACCOUNTS.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		_, behind, found := strings.Cut(string(text), "```yaml\naccounts:")
		block, _, _ := strings.Cut(behind, "```")
		load := &configfile.Load{}
		got := ReadFile(load, put(t, t.TempDir(), "accounts.yaml", "accounts:"+block), Replier)
		if !found || load.Err() != nil || len(got) != 2 || !got[0].HasSecret || got[1].HasSecret || got[1].Mode != Safe {
			t.Errorf("%s: %v, %v", name, got, load.Err())
		}
	}
}
