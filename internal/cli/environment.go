package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"wxgate/internal/configfile"
	"wxgate/internal/service"
)

// secretVariables may also come from a file, named by the variable with _FILE after it.
var secretVariables = []string{"WECHAT_APP_SECRET", "WECHAT_TOKEN", "WECHAT_AES_KEY", "WXGATE_SESSION_KEY", "WXGATE_INTERNAL_KEY", "WXGATE_NATS"}

// foreignVariables look like settings but are read by others: docker-compose.yml, make and the tests. One file or shell may
// set variables for those and for wxgate.
var foreignVariables = []string{
	"WXGATE_VERSION", "WXGATE_SECRETS", "WXGATE_HOST", "WXGATE_PORT", "WXGATE_HTTP_PORT", "WXGATE_HTTPS_PORT", "WXGATE_FAKE_PORT",
	"WXGATE_GATEWAYS", "WXGATE_REPLIERS", "WXGATE_OAUTHSVCS", "WXGATE_FRONT_CA",
	"WXGATE_CHAOS", "WXGATE_CHAOS_MESSAGES", "WXGATE_CHAOS_SEED", "WXGATE_CHAOS_DIR", "WXGATE_SCREENSHOTS", "WXGATE_TEST_NATS_NODE",
}

// badEnvironment has the errors of the environment, if there are any. A command that serves reports them together with those
// of the other settings.
type badEnvironment struct{ err error }

// serverCommand is a command that reports the environment's errors itself.
type serverCommand interface {
	Run(ctx context.Context, environment badEnvironment) error
}

// loadEnvironment prepares the environment for reading settings from it.
func loadEnvironment(model *kong.Application) badEnvironment {
	return badEnvironment{errors.Join(unknownVariables(knownVariables(model), os.Environ()), service.LoadEnv(secretVariables...))}
}

// knownVariables returns the variables of the settings of all commands: one file may set those of all processes.
func knownVariables(model *kong.Application) []string {
	var known []string
	for _, command := range model.Leaves(false) {
		for _, flag := range command.Flags {
			known = append(known, flag.Envs...)
		}
	}
	for _, name := range secretVariables {
		known = append(known, name+"_FILE")
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// unknownVariables returns an error for each variable with one of our prefixes that is not known: a misspelt one would
// silently leave its setting at the default. Empty variables count as unset.
func unknownVariables(known, environ []string) error {
	var errs []error
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := service.CutPrefix(name)
		if !ours || value == "" || slices.Contains(known, name) || slices.Contains(foreignVariables, name) || isServiceLink(name, value) {
			continue
		}
		hint := configfile.DidYouMean(name, known)
		for _, prefix := range service.Prefixes {
			if hint == "" {
				hint = configfile.DidYouMean(prefix+rest, known)
			}
		}
		errs = append(errs, fmt.Errorf("%s: no setting has this variable%s; correct its name or remove it", name, hint))
	}
	return errors.Join(errs...)
}

// Kubernetes tells each container of the services of its namespace: a Service named wxgate sets WXGATE_SERVICE_HOST,
// WXGATE_PORT_8000_TCP_ADDR and so on ("Accessing the Service", https://kubernetes.io/docs/tutorials/services/connect-applications-service/).
var (
	linkName = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	linkPort = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// isServiceLink reports whether Kubernetes sets such a variable for a Service.
func isServiceLink(name, value string) bool {
	return linkName.MatchString(name) || strings.HasSuffix(name, "_PORT") && linkPort.MatchString(value)
}
