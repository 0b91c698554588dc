package fakewechat

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wxgate/fakewechat/sender"

	"github.com/google/go-cmp/cmp"
)

// TestFindingsChatsSurviveARestart: chats, follow state and windows are there again; what was under way has ended.
func TestFindingsChatsSurviveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chats.json")
	gw, _ := gateway(t, http.StatusOK, fixed(as("text", "<Content>Hello, 世界</Content>")))
	cfg := Config{Account: testAccount(sender.Plain), Gateway: gw, ChatFile: file}
	before := newSite(t, cfg)
	before.send(t, "text", "hi", nil)
	if _, err := before.platform.SendFrom(t.Context(), "oLeft", "event", "unsubscribe"); err != nil {
		t.Fatal(err)
	}
	before.wantAPI(t, before.with(t, sendPath), text(sender.User, "one of five"), 0)
	before.platform.chat.changeLine(before.platform.chat.addLine(chatLine{Account: cfg.Account.AppID, User: sender.User, From: fromUser}), func(l *chatLine) {
		l.Attempts = []*chatAttempt{{Number: 1, Running: true}}
	})
	before.platform.Close()
	want, _ := before.platform.chat.addWatcher(at)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}

	after := newSite(t, cfg)
	t.Cleanup(after.platform.Close)
	state, events := after.platform.chat.addWatcher(at)
	if events == nil || len(state.Lines) != 4 || len(state.Users) != 2 || len(state.Calls) == 0 {
		t.Fatalf("state %+v; want %+v", state, want)
	}
	running := state.Lines[3]
	if a := running.Attempts[0]; !running.Done || a.Running || a.Error == "" || a.ErrorZH == a.Error {
		t.Errorf("what was under way is %+v, %+v", running, a)
	}
	if got := after.platform.accountByAppID("").followOf("oLeft"); got != hasLeft {
		t.Errorf("who left is %q", got)
	}
	after.wantSends(t, "oLeft", 0, 45015)
	after.wantSends(t, sender.User, 4, 45047)
	after.send(t, "text", "hi again", nil)
	if state, _ := after.platform.chat.addWatcher(at); state.Lines[len(state.Lines)-1].ID <= running.ID {
		t.Errorf("an id of before is used again: %d", state.Lines[len(state.Lines)-1].ID)
	}
	raw, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(raw, []byte("Hello, 世界")) {
		t.Errorf("the file: %s, %v", raw, err)
	}
	for _, secret := range []string{cfg.Account.AppSecret, cfg.Account.Token, cfg.Account.AESKey} {
		if secret != "" && bytes.Contains(raw, []byte(secret)) {
			t.Errorf("a secret is in the file: %s", raw)
		}
	}
}

// TestFindingsChatsAreKeptWhileItRuns: a process that is killed loses a second of them at most; Reset forgets them.
func TestFindingsChatsAreKeptWhileItRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chats.json")
	gw, _ := gateway(t, http.StatusOK, fixed("success"))
	s := newSite(t, Config{Gateway: gw, ChatFile: file})
	t.Cleanup(s.platform.Close)
	s.send(t, "text", "findable", nil)
	holds := func(want bool) {
		t.Helper()
		poll := time.NewTicker(20 * time.Millisecond)
		defer poll.Stop()
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-poll.C {
			if raw, err := os.ReadFile(file); err == nil && strings.Contains(string(raw), "findable") == want {
				return
			}
		}
		t.Fatalf("whether the file has the text is not %t", want)
	}
	holds(true)
	s.platform.Reset()
	holds(false)
}

// TestFindingsDamagedChatsAreLeftOut: they stop nothing.
func TestFindingsDamagedChatsAreLeftOut(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "half": `{"lines":[{"id":`, "another type": "[]", "nothing in it": "{}", "another account": `{"users":[{"account":"x","openid":"o"}]}`} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "chats.json")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := newSite(t, Config{ChatFile: file})
			if state, _ := s.platform.chat.addWatcher(at); len(state.Users) != 1 || state.Users[0].OpenID != sender.User {
				t.Errorf("users %+v", state.Users)
			}
			s.platform.Close()
		})
	}
	t.Run("a directory that is gone", func(t *testing.T) {
		s := newSite(t, Config{ChatFile: filepath.Join(t.TempDir(), "gone", "chats.json")})
		s.platform.Close()
		if _, err := os.Stat(s.platform.first.ChatFile); !os.IsNotExist(err) {
			t.Errorf("the file: %v, not %v", err, fs.ErrNotExist)
		}
	})
}

func FuzzRestoreChats(f *testing.F) {
	app := sender.DevAccount().AppID
	f.Add([]byte(`{"users":[null,{"account":"x"}],"lines":[null],"calls":[{}]}`))
	f.Add(fmt.Appendf(nil, `{"last":9,"users":[{"account":%q,"openid":"o","number":-1}],"lines":[{"id":99,"account":%q,"user":"o","attempts":[null,{"running":true}]}]}`, app, app))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := New(Config{})
		t.Cleanup(p.Close)
		_ = p.restoreChats(raw)
		state, _ := p.chat.addWatcher(at)
		if len(state.Users) == 0 || len(state.Users) > maxTalkers || len(state.Lines) > maxLines || len(state.Calls) > maxCallLines {
			t.Errorf("%d users, %d lines, %d calls", len(state.Users), len(state.Lines), len(state.Calls))
		}
		again := New(Config{})
		t.Cleanup(again.Close)
		if err := again.restoreChats(p.snapshotChats()); err != nil {
			t.Fatal(err)
		}
		restored, _ := again.chat.addWatcher(at)
		if diff := cmp.Diff(len(state.Lines), len(restored.Lines)); diff != "" {
			t.Errorf("lines (-first +again): %s", diff)
		}
	})
}
