package login

import (
	"errors"
	"log/slog"
	"regexp"
	"strings"

	"wxgate/internal/service"
	oauthv1 "wxgate/proto/oauth/v1"
)

// Config configures the login.
type Config struct {
	Log            *slog.Logger
	OAuth          oauthv1.OAuthServiceClient
	Accounts       func() *Accounts // returns the current accounts
	AccountsChange bool             // another account may become the main one: addresses name their account
	PublicURL      string           // scheme and host that browsers use; "": the request's Host
	ReturnHosts    []string         // other hosts that a login may return to
	SessionKey     service.Secret   // several, separated by commas: the first one seals sessions, all open them; "": a random one
}

// Check returns all errors of PublicURL, ReturnHosts and SessionKey.
func (c Config) Check() error {
	var errs []error
	if c.PublicURL != "" && !isOrigin(c.PublicURL) {
		errs = append(errs, service.BadSetting("public url", "%q; expected scheme and host in lower case, such as https://wx.example.com", c.PublicURL))
	}
	for _, host := range c.ReturnHosts {
		if !isHost(host) {
			errs = append(errs, service.BadSetting("return hosts", "%q; expected a whole host in lower case, such as www.example.com", host))
		}
	}
	_, err := parseSessionKeys(c.SessionKey)
	return errors.Join(append(errs, err)...)
}

// hostPattern matches a host in the form of browsers: a name in lower case or an address, and a port.
var hostPattern = regexp.MustCompile(`^([a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

func isHost(text string) bool { return hostPattern.MatchString(text) }

// isOrigin reports whether text is a web origin in the form of browsers. Slashes at its end are ignored.
func isOrigin(text string) bool {
	scheme, host, _ := strings.Cut(strings.TrimRight(text, "/"), "://")
	return (scheme == "http" || scheme == "https") && isHost(host)
}
