package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"wxgate/internal/service"
)

// nameSettings returns err with each setting under the names by which a user sets it, such as
// "--reply-timeout (WXGATE_REPLY_TIMEOUT)". Packages name their settings without knowing flags and variables, and the parser
// does not know all variables.
func nameSettings(err error, model *kong.Application) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, one := range joined.Unwrap() {
			errs = append(errs, nameSettings(one, model))
		}
		return errors.Join(errs...)
	}
	setting, isSetting := errors.AsType[*service.SettingError](err)
	for _, command := range model.Leaves(false) {
		for _, flag := range command.Flags {
			if isSetting && strings.ReplaceAll(setting.Setting, " ", "-") == flag.Name {
				return namedError{setting.Describe(flagTitle(flag)), err}
			}
			if problem, ok := strings.CutPrefix(err.Error(), "--"+flag.Name+": "); ok {
				return namedError{flagTitle(flag) + ": " + problem, err}
			}
			if problem, ok := strings.CutPrefix(err.Error(), "--"+flag.Name+" must be "); ok {
				return namedError{flagTitle(flag) + ": expected " + problem, err}
			}
		}
	}
	return err
}

// namedError is an error with another text. It keeps the exit code of a parser's error.
type namedError struct {
	text string
	err  error
}

// Error returns the text.
func (e namedError) Error() string { return e.text }

// Unwrap returns the error of the parser or package.
func (e namedError) Unwrap() error { return e.err }

// flagTitle returns a flag with its variables: "--token (WECHAT_TOKEN or WECHAT_TOKEN_FILE)".
func flagTitle(flag *kong.Flag) string {
	variables := slices.Clone(flag.Envs)
	for _, name := range flag.Envs {
		if slices.Contains(secretVariables, name) {
			variables = append(variables, name+"_FILE")
		}
	}
	if len(variables) == 0 {
		return "--" + flag.Name
	}
	return "--" + flag.Name + " (" + strings.Join(variables, " or ") + ")"
}
