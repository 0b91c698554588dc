package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"wxgate/internal/service"
)

// sessionKeyFile is the file of a data directory that holds the key of login sessions.
const sessionKeyFile = "session_key"

// errNoCommonKey stops a gateway that may be one of several: each would reject the logins of the others.
var errNoCommonKey = service.BadSetting("session key", "missing; with --nats and --public-url all gateways need the same one; openssl rand -hex 32 makes one")

// checkSessionKey checks the session key of a gateway that has logins.
func checkSessionKey(public publicFlags, nats service.Secret) error {
	if nats != "" && public.PublicURL != "" && public.SessionKey == "" {
		return errNoCommonKey
	}
	return nil
}

// keptSessionKey returns the keys of login sessions of a process that has a data directory: the given keys, and after them the
// directory's own, so that a key that is set later logs nobody out. If none is given and the directory has none, it makes one.
func keptSessionKey(given service.Secret, dir string) (service.Secret, error) {
	path := filepath.Join(dir, sessionKeyFile)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && given != "":
		return given, nil
	case errors.Is(err, os.ErrNotExist):
		return makeSessionKey(path)
	case err != nil:
		return "", service.BadSetting("data dir", "the session key cannot be read: %w", err)
	}
	kept := strings.TrimSpace(string(data))
	if len(kept) < minKeptKey || strings.Contains(kept, ",") {
		return "", service.BadSetting("data dir", "%s does not hold a session key; expected at least %d characters without a comma; remove the file for a new key, which ends all sessions", path, minKeptKey)
	}
	if given == "" {
		return service.Secret(kept), nil
	}
	return service.Secret(given.Reveal() + "," + kept), nil
}

// minKeptKey is the shortest session key that a gateway accepts, in characters.
const minKeptKey = 32

// makeSessionKey writes a new key to a file that does not exist. A process that dies meanwhile leaves no file.
func makeSessionKey(path string) (service.Secret, error) {
	random := make([]byte, minKeptKey)
	_, _ = rand.Read(random) // never fails
	key := hex.EncodeToString(random)
	if err := writeAtomically(path, key+"\n"); err != nil {
		return "", service.BadSetting("data dir", "the session key cannot be kept: %w", err)
	}
	return service.Secret(key), nil
}

// writeAtomically writes a file that only this user can read, all of it or nothing. When it returns, the file is on disk.
func writeAtomically(path, text string) (err error) {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) { // of a process that died
		return err
	}
	file, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
