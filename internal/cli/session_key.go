package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wxgate/internal/service"
)

// sessionKeyFile is the file of a data directory that holds the key of login sessions.
const sessionKeyFile = "session_key"

// errNoCommonKey is why replicas do not start: each would refuse the logins of the others.
var errNoCommonKey = errors.New("--session-key (WXGATE_SESSION_KEY or WXGATE_SESSION_KEY_FILE) is missing: with --nats and --public-url all gateways need the same one; openssl rand -hex 32 makes one")

// checkSessionKey returns what is wrong with the session key of a gateway that has logins.
func checkSessionKey(public publicFlags, nats service.Secret) error {
	if nats != "" && public.PublicURL != "" && public.SessionKey == "" {
		return errNoCommonKey
	}
	return nil
}

// keptSessionKey returns the keys of login sessions of a process that has a data directory for itself: those given come first,
// and the directory's own is accepted beside them, so that giving one logs nobody out. If none is given, the directory's is made.
func keptSessionKey(given service.Secret, dir string) (service.Secret, error) {
	path := filepath.Join(dir, sessionKeyFile)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && given != "":
		return given, nil
	case errors.Is(err, os.ErrNotExist):
		return makeSessionKey(path)
	case err != nil:
		return "", fmt.Errorf("--data-dir: the session key cannot be read: %w", err)
	}
	kept := strings.TrimSpace(string(data))
	if len(kept) < minKeptKey || strings.Contains(kept, ",") {
		return "", fmt.Errorf("--data-dir: %s holds no session key; expected at least %d characters without a comma; remove the file for a new key, which ends all sessions", path, minKeptKey)
	}
	if given == "" {
		return service.Secret(kept), nil
	}
	return service.Secret(given.Reveal() + "," + kept), nil
}

// minKeptKey is the shortest session key, as the gateway wants it.
const minKeptKey = 32

// makeSessionKey makes a key in a file that was not there. The file appears with all of it: a process that dies leaves none.
func makeSessionKey(path string) (service.Secret, error) {
	random := make([]byte, minKeptKey)
	_, _ = rand.Read(random) // never fails
	key := hex.EncodeToString(random)
	if err := writeWhole(path, key+"\n"); err != nil {
		return "", fmt.Errorf("--data-dir: the session key cannot be kept: %w", err)
	}
	return service.Secret(key), nil
}

// writeWhole writes a file that only this user can read, and has it on disk when it returns.
func writeWhole(path, text string) (err error) {
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
