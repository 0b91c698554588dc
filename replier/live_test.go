package replier

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"wxgate/internal/service"
	replierv1 "wxgate/proto/replier/v1"
	wechatv1 "wxgate/proto/wechat/v1"
)

// get returns what GetRules tells.
func (r *running) get(t *testing.T) *replierv1.GetRulesResponse {
	t.Helper()
	got, err := r.rules.GetRules(t.Context(), &replierv1.GetRulesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// await asks for the rules until they are as wanted.
func (r *running) await(t *testing.T, what string, is func(*replierv1.GetRulesResponse) bool) *replierv1.GetRulesResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		got := r.get(t)
		if is(got) {
			return got
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s, got %v\nlog:\n%s", what, got, r.log)
		case <-tick.C:
		}
	}
}

func (r *running) awaitVersion(t *testing.T, version int64) *replierv1.GetRulesResponse {
	t.Helper()
	return r.await(t, fmt.Sprintf("version %d", version), func(got *replierv1.GetRulesResponse) bool {
		return got.GetVersion() == version && len(got.GetProblems()) == 0
	})
}

func (r *running) awaitProblem(t *testing.T) *replierv1.GetRulesResponse {
	t.Helper()
	return r.await(t, "a problem", func(got *replierv1.GetRulesResponse) bool { return len(got.GetProblems()) > 0 })
}

// refused returns wxgate_config_refused of the rules.
func (r *running) refused(t *testing.T) float64 {
	t.Helper()
	families, err := r.env.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "wxgate_config_refused" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no metric wxgate_config_refused")
	return 0
}

// ready returns the body of /readyz.
func (r *running) ready() string {
	w := httptest.NewRecorder()
	r.env.Ready.ServeHTTP(w, nil)
	return w.Body.String()
}

func (r *running) checkSays(t *testing.T, question, want string) {
	t.Helper()
	if diff := cmp.Diff(says(want), r.ask(t, text(question)), protocmp.Transform()); diff != "" {
		t.Errorf("reply to %q (-want +got):\n%s", question, diff)
	}
}

// saying are rules that say a text to everything.
func saying(what string) string {
	return "rules:\n  - {name: all, reply: {text: " + what + "}}\n"
}

// TestFindingsRulesAreCompiledOnce: rules that were checked are not compiled again for the start. If they changed meanwhile,
// they are loaded again at once.
func TestFindingsRulesAreCompiledOnce(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Env: service.NewEnv(slog.New(slog.DiscardHandler)), Listen: "127.0.0.1:0", Rules: write(t, dir, "rules.yaml", saying("one"))}
	completed, err := cfg.Complete()
	if err != nil {
		t.Fatal(err)
	}
	checked := completed.liveRules.Value().main.rules
	s, err := New(completed)
	if err != nil {
		t.Fatal(err)
	}
	if s.liveRules.Value().main.rules != checked {
		t.Error("rules that were checked are compiled again")
	}
	write(t, dir, "rules.yaml", saying("another"))
	r := serve(t, s, cfg.Env, &logBuffer{})
	r.awaitVersion(t, 2)
	r.checkSays(t, "hi", "another")
}

// TestLive: an edit is loaded; an invalid one is rejected and reported, and the previous rules stay active until it is fixed.
func TestLive(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "rules.yaml", saying("one"))
	before := time.Now().Add(-time.Second)
	r := start(t, path)
	r.checkSays(t, "hi", "one")
	first := r.get(t)
	if first.GetLoadTime().AsTime().Before(before) || first.GetLoadTime().AsTime().After(time.Now()) {
		t.Errorf("loaded at %v", first.GetLoadTime().AsTime())
	}
	if len(first.GetHash()) != 64 || strings.Trim(first.GetHash(), "0123456789abcdef") != "" {
		t.Errorf("hash %q, want a SHA-256 in hex", first.GetHash())
	}
	want := &replierv1.GetRulesResponse{Version: 1, RuleCount: 1, Files: []string{path}}
	unpredictable := protocmp.IgnoreFields(want, "hash", "load_time")
	if diff := cmp.Diff(want, first, protocmp.Transform(), unpredictable); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}

	write(t, dir, "rules.yaml", saying("two")+"  - {name: b, silent: true}\ndefault: {silent: true}\n")
	second := r.awaitVersion(t, 2)
	r.checkSays(t, "hi", "two")
	want = &replierv1.GetRulesResponse{Version: 2, RuleCount: 2, Files: []string{path}, Warnings: []*replierv1.RulesProblem{
		{File: path, Line: 3, Column: 5, In: `rule "b"`, Text: `never answers: rule "all" (line 2) answers everything that it matches`},
	}}
	if diff := cmp.Diff(want, second, protocmp.Transform(), unpredictable); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if second.GetHash() == first.GetHash() || second.GetLoadTime().AsTime().Before(first.GetLoadTime().AsTime()) {
		t.Errorf("hash and time are %s, %v; before %s, %v", second.GetHash(), second.GetLoadTime().AsTime(), first.GetHash(), first.GetLoadTime().AsTime())
	}
	if n := r.refused(t); n != 0 {
		t.Errorf("wxgate_config_refused is %v, want 0", n)
	}

	write(t, dir, "rules.yaml", "rules:\n  - {nam: all, reply: {text: three}}\n  - {name: b}\n")
	third := r.awaitProblem(t)
	r.checkSays(t, "hi", "two")
	second.Problems = []*replierv1.RulesProblem{
		{File: path, Line: 2, Column: 6, In: `rule "#1"`, Text: `unknown key "nam"; did you mean "name"?; expected name, match and one of reply, random, forward or silent`},
		{File: path, Line: 3, Column: 5, In: `rule "b"`, Text: "expected exactly one of reply, random, forward or silent"},
	}
	if diff := cmp.Diff(second, third, protocmp.Transform()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if n := r.refused(t); n != 1 {
		t.Errorf("wxgate_config_refused is %v, want 1", n)
	}
	if got := r.ready(); !strings.Contains(got, `"problems":{"rules":"rejected; keeping the previous version: `+path+":2:") {
		t.Errorf("/readyz does not tell: %s", got)
	}
	r.log.await(t, "rules rejected; keeping the previous version")
	if !strings.Contains(r.log.String(), path+`:3:5: rule \"b\": expected exactly one of`) {
		t.Errorf("the log does not tell:\n%s", r.log)
	}

	write(t, dir, "rules.yaml", saying("four"))
	r.awaitVersion(t, 3)
	r.checkSays(t, "hi", "four")
	if n := r.refused(t); n != 0 {
		t.Errorf("wxgate_config_refused is %v, want 0", n)
	}
	if got := r.ready(); strings.Contains(got, "problems") {
		t.Errorf("/readyz still tells: %s", got)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	gone := r.awaitProblem(t)
	if diff := cmp.Diff([]*replierv1.RulesProblem{{File: path, Text: "no such file or directory"}}, gone.GetProblems(), protocmp.Transform()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	r.checkSays(t, "hi", "four")
}

// await waits for a text in the log.
func (l *logBuffer) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(l.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %q in the log:\n%s", text, l)
		}
	}
}

// TestLiveMoved: a file that is another by rename, and by the swap of a ConfigMap's link, is loaded.
func TestLiveMoved(t *testing.T) {
	t.Run("rename", func(t *testing.T) {
		dir := t.TempDir()
		path := write(t, dir, "rules.yaml", saying("one"))
		r := start(t, path)
		if err := os.Rename(write(t, dir, "rules.yaml~", saying("two")), path); err != nil {
			t.Fatal(err)
		}
		r.awaitVersion(t, 2)
		r.checkSays(t, "hi", "two")
	})
	t.Run("link", func(t *testing.T) {
		dir := t.TempDir()
		for _, version := range []string{"one", "two"} {
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, version), "rules.yaml", "rules:\n  - include: more.yaml\n")
			write(t, filepath.Join(dir, version), "more.yaml", saying(version))
		}
		link := func(to, from string) {
			t.Helper()
			if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
				t.Fatal(err)
			}
		}
		link("one", "..data")
		link("..data/rules.yaml", "rules.yaml")
		link("..data/more.yaml", "more.yaml")
		r := start(t, filepath.Join(dir, "rules.yaml"))
		r.checkSays(t, "hi", "one")
		link("two", "..data_tmp")
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		r.awaitVersion(t, 2)
		r.checkSays(t, "hi", "two")
	})
}

// TestLiveIncluded: a file that is included is watched, also where it is missing and comes back.
func TestLiveIncluded(t *testing.T) {
	dir := t.TempDir()
	more := write(t, dir, "more.yaml", "rules:\n  - {name: more, match: {text: more}, reply: {text: one}}\n")
	path := write(t, dir, "rules.yaml", "rules:\n  - include: more.yaml\n"+"  - {name: all, reply: {text: all}}\n")
	r := start(t, path)
	r.checkSays(t, "more", "one")
	if diff := cmp.Diff([]string{path, more}, r.get(t).GetFiles()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	write(t, dir, "more.yaml", "rules:\n  - {name: more, match: {text: more}, reply: {text: two}}\n")
	r.awaitVersion(t, 2)
	r.checkSays(t, "more", "two")

	if err := os.Remove(more); err != nil {
		t.Fatal(err)
	}
	want := []*replierv1.RulesProblem{{File: path, Line: 2, Column: 14, Text: "include: " + more + ": no such file or directory"}}
	if diff := cmp.Diff(want, r.awaitProblem(t).GetProblems(), protocmp.Transform()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	r.checkSays(t, "more", "two")
	write(t, dir, "more.yaml", saying("three"))
	// Both files have a rule of one name now.
	r.await(t, "another problem", func(got *replierv1.GetRulesResponse) bool {
		return len(got.GetProblems()) == 1 && strings.HasPrefix(got.GetProblems()[0].GetText(), "another rule has this name")
	})
	r.checkSays(t, "more", "two")
	write(t, dir, "more.yaml", "rules:\n  - {name: more, match: {text: more}, reply: {text: four}}\n")
	r.awaitVersion(t, 3)
	r.checkSays(t, "more", "four")
	r.checkSays(t, "hi", "all")
}

// TestLiveInFlight: a message ends with the rules that it began with.
func TestLiveInFlight(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	target := startBot(t, func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) {
		close(asked)
		<-release
		return noMedia, nil // refused: the next rule answers
	})
	dir := t.TempDir()
	path := write(t, dir, "rules.yaml", fmt.Sprintf("rules:\n  - {name: bot, forward: %q}\n  - {name: next, reply: {text: before}}\n", target))
	r := start(t, path)
	done := make(chan *wechatv1.Reply, 1)
	go func() {
		resp, err := r.Reply(t.Context(), &replierv1.ReplyRequest{Message: text("slow")})
		if err != nil {
			t.Error(err)
		}
		done <- resp.GetReply()
	}()
	<-asked
	write(t, dir, "rules.yaml", saying("after"))
	r.awaitVersion(t, 2)
	r.checkSays(t, "hi", "after")
	close(release)
	if diff := cmp.Diff(says("before"), <-done, protocmp.Transform()); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// TestLiveBotOfAnEdit: a bot that an edit names is asked.
func TestLiveBotOfAnEdit(t *testing.T) {
	dir := t.TempDir()
	r := start(t, write(t, dir, "rules.yaml", saying("one")))
	write(t, dir, "rules.yaml", fmt.Sprintf("rules:\n  - {name: bot, forward: %q}\n", startBot(t, replies(says("bot"), nil))))
	r.awaitVersion(t, 2)
	r.checkSays(t, "hi", "bot")
}

// TestGetBuiltinRules: the built-in rules come from no file.
func TestGetBuiltinRules(t *testing.T) {
	got := start(t, "").get(t)
	want := &replierv1.GetRulesResponse{Version: 1, RuleCount: 6}
	if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(want, "hash", "load_time")); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}
