package test

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/test/testproc"
)

// TestFindingsDevKeepsChats: with a data directory, the chats of dev are there again after a restart.
func TestFindingsDevKeepsChats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := testproc.Start(t, testproc.Env(), "dev", "--data-dir", dir)
	resp, err := http.Post("http://"+p.Addr("fake-listen")+"/fake/v1/messages", "application/json", strings.NewReader(`{"kind": "text", "args": ["remember me"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	p.Stop()
	if info, err := os.Stat(filepath.Join(dir, "fakewechat.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}

	p = testproc.Start(t, testproc.Env(), "dev", "--data-dir", dir)
	resp, err = http.Get("http://" + p.Addr("fake-listen") + "/fake/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewScanner(resp.Body)
	events.Buffer(nil, 1<<24)
	for events.Scan() {
		if strings.HasPrefix(events.Text(), "data: ") {
			break
		}
	}
	if hello := events.Text(); strings.Count(hello, "remember me") < 2 { // what was said, and its echo
		t.Errorf("the page begins with %s", hello)
	}
}
