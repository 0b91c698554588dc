package oauthsvc

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wxgate/internal/service"
)

func goodConfig() Config {
	return Config{Env: service.NewEnv(slog.New(slog.DiscardHandler)), Listen: "127.0.0.1:0", Accounts: testAccounts(),
		APIURL: "https://api.weixin.qq.com", OpenURL: "https://open.weixin.qq.com"}
}

func TestValidate(t *testing.T) {
	const (
		badAPI    = "api url: expected http:// or https:// and a host, without user, query and fragment"
		badSecret = "app secret: holds a space or another character that no secret of WeChat's has"
		badAppID  = "app id: expected letters and digits, such as wx0123456789abcdef"
	)
	for name, tt := range map[string]struct {
		bad  func(*Config)
		want string
	}{
		"good":                      {func(*Config) {}, ""},
		"slash at the end":          {func(c *Config) { c.APIURL += "/" }, ""},
		"path":                      {func(c *Config) { c.APIURL = "http://127.0.0.1:8010/wx/" }, ""},
		"no AppID":                  {func(c *Config) { c.Accounts.List[0].AppID = "" }, "app id: missing; expected the AppID of the account's console"},
		"AppID with a newline":      {func(c *Config) { c.Accounts.List[0].AppID += "\n" }, badAppID},
		"AppID with an &":           {func(c *Config) { c.Accounts.List[0].AppID = "a&b" }, badAppID},
		"no AppSecret":              {func(c *Config) { c.Accounts.List[0].AppSecret = "" }, "app secret: missing; expected the AppSecret of the account's console"},
		"AppSecret with a newline":  {func(c *Config) { c.Accounts.List[0].AppSecret += "\n" }, badSecret},
		"AppSecret not ASCII":       {func(c *Config) { c.Accounts.List[0].AppSecret += "é" }, badSecret},
		"no API URL":                {func(c *Config) { c.APIURL = "" }, "api url: missing; expected a URL such as https://api.weixin.qq.com"},
		"API URL without scheme":    {func(c *Config) { c.APIURL = "api.weixin.qq.com" }, badAPI},
		"API URL of another scheme": {func(c *Config) { c.APIURL = "ftp://api.weixin.qq.com" }, badAPI},
		"API URL without host":      {func(c *Config) { c.APIURL = "https:///sns" }, badAPI},
		"API URL with a port only":  {func(c *Config) { c.APIURL = "https://:443" }, badAPI},
		"API URL with a query":      {func(c *Config) { c.APIURL += "?a=b" }, badAPI},
		"API URL with an empty one": {func(c *Config) { c.APIURL += "?" }, badAPI},
		"API URL with a fragment":   {func(c *Config) { c.APIURL += "#a" }, badAPI},
		"API URL with a password":   {func(c *Config) { c.APIURL = "https://u:hunter2@api.weixin.qq.com" }, badAPI},
		"API URL that is none":      {func(c *Config) { c.APIURL = "https://api\x7f" }, badAPI},
		"open URL without scheme":   {func(c *Config) { c.OpenURL = "open" }, "open url: expected http:// or https:// and a host, without user, query and fragment"},
		"no address":                {func(c *Config) { c.Listen = "" }, `oauth listen: ""; expected host and port, such as 127.0.0.1:9002`},
		"address without port":      {func(c *Config) { c.Listen = "localhost" }, `oauth listen: "localhost"; expected host and port, such as 127.0.0.1:9002`},
		"all of it, in one go":      {func(c *Config) { c.Accounts.List[0].AppID, c.Accounts.List[0].AppSecret, c.APIURL = "?", " ", "x" }, badAppID + "\n" + badSecret + "\n" + badAPI},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig()
			tt.bad(&cfg)
			got := ""
			if s, err := newServer(cfg); err == nil {
				s.Close()
			} else {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewTakenAddress(t *testing.T) {
	first, err := newServer(goodConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second := goodConfig()
	second.Listen = first.Addr().String()
	_, err = newServer(second)
	if err == nil || !strings.Contains(err.Error(), "oauth listen: "+second.Listen+" is in use by another process") {
		t.Errorf("a taken address: %v; want an error that names the setting and the address", err)
	}
}
