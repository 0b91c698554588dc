package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wxgate/fakewechat/sender"
	"wxgate/test/testproc"
)

// The bots of examples/, each as its README runs it, behind a whole wxgate.

func TestPython(t *testing.T) {
	t.Parallel()
	python := pythonWithGRPC(t)
	gen := t.TempDir()
	generate := exec.Command("../examples/python/generate.sh", gen)
	if out, err := generate.CombinedOutput(); err != nil {
		testproc.Missing(t, "Python code of the .proto files cannot be made: apt-get install protobuf-compiler protobuf-compiler-grpc, or pip install grpcio-tools: %v\n%s", err, out)
	}
	bot := func() *exec.Cmd {
		cmd := exec.Command(python, "bot.py", "--listen", "127.0.0.1:0")
		cmd.Dir = "../examples/python"
		cmd.Env = append(os.Environ(), "PYTHONPATH="+gen, "PYTHONDONTWRITEBYTECODE=1")
		return cmd
	}
	tryBot(t, bot)
	t.Run("its own test", func(t *testing.T) {
		target := "dns:///" + testproc.StartProgram(t, bot()).Addr("listen")
		safe := testproc.Env(append(testproc.AccountEnv, "WECHAT_MODE=safe")...)
		gateway := testproc.Start(t, append(safe, "WXGATE_REPLIER="+target), "gateway")
		fake := testproc.Start(t, append(safe, "WXGATE_GATEWAY=http://"+gateway.Addr("listen")+"/", "WXGATE_FAULTS=delay=5ms,seed=3"), "fakewechat")
		var faults struct{ Delay string }
		if steer(t, fake.Addr("fake-listen"), "GET", "faults", "", &faults); faults.Delay != "5ms" {
			t.Errorf("the fake's faults are %+v", faults)
		}
		cmd := exec.Command(python, "test_bot.py", "-v")
		cmd.Dir = "../examples/python"
		cmd.Env = append(os.Environ(), "WXGATE_FAKE=http://"+fake.Addr("fake-listen"), "PYTHONDONTWRITEBYTECODE=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "test_lost") {
			t.Errorf("%v\n%s\n%s", err, out, fake.Logged())
		}
	})
}

// pythonWithGRPC returns a Python that has grpcio: Debian's packages are not for a Python from elsewhere.
func pythonWithGRPC(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import grpc, google.protobuf").Run() == nil {
			return python
		}
	}
	testproc.Missing(t, "no Python with gRPC: apt-get install python3-grpcio, or pip install grpcio grpcio-tools")
	return ""
}

func TestNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // laid out as the repository, since the bot looks for proto/
	if err := os.CopyFS(filepath.Join(dir, "proto"), os.DirFS("../proto")); err != nil {
		t.Fatal(err)
	}
	bot := filepath.Join(dir, "examples", "node")
	if err := os.MkdirAll(bot, 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, "../examples/node/bot.js", bot)
	installNodePackages(t, bot)
	tryBot(t, func() *exec.Cmd {
		cmd := exec.Command("node", "bot.js", "--listen", "127.0.0.1:0")
		cmd.Dir = bot
		return cmd
	})
}

// installNodePackages installs what the bot in Node.js needs, in the versions that it has, into a directory.
func installNodePackages(t *testing.T, dir string) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			testproc.Missing(t, "no %s: apt-get install nodejs npm, or https://nodejs.org/", program)
		}
	}
	copyFile(t, "../examples/node/package.json", dir)
	copyFile(t, "../examples/node/package-lock.json", dir)
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		testproc.Missing(t, "npm ci did not get the bot's packages; is the registry in reach? %v\n%s", err, out)
	}
}

// copyFile copies a file into a directory.
func copyFile(t *testing.T, name, dir string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEmbedded tries the replier with a handler inside.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	bot := filepath.Join(t.TempDir(), "bot")
	if out, err := exec.Command("go", "build", "-o", bot, "../examples/go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tryBot(t, func() *exec.Cmd {
		cmd := exec.Command(bot, "--listen", "127.0.0.1:0")
		cmd.Dir = "../examples/go"
		return cmd
	})
}

// line is something a user sends, and what the answer must be; "" for none.
type line struct {
	kind string
	args []string
	want string
}

// tryBot tries a bot alone behind a gateway, and behind a rule.
func tryBot(t *testing.T, command func() *exec.Cmd) {
	t.Helper()
	safe := append(testproc.Env(testproc.AccountEnv...), "WECHAT_MODE=safe")
	t.Run("gateway", func(t *testing.T) {
		bot := testproc.StartProgram(t, command())
		target := "dns:///" + bot.Addr("listen")
		converse(t, startGateway(t, append(safe, "WXGATE_REPLIER="+target), "gateway"), []line{
			{"event", []string{"subscribe"}, "Welcome! Send me a word or a picture."},
			{"text", []string{"hello 世界"}, "HELLO 世界 (message 1 of yours)"},
			{"image", []string{"http://example.com/1.jpg"}, "A picture (message 2 of yours): http://example.com/1.jpg"},
			{"text", []string{"wait 0"}, "I waited 0 s."},
			{"location", []string{"23.10", "113.30"}, ""},
			{"event", []string{"CLICK", "HELP"}, ""},
			{"text", []string{""}, " (message 4 of yours)"},
			{"text", []string{"hello"}, "HELLO (message 5 of yours)"},
			{"event", []string{"unsubscribe"}, ""},
			{"text", []string{"hello"}, "HELLO (message 1 of yours)"},
		})
	})
	t.Run("rule", func(t *testing.T) {
		bot := testproc.StartProgram(t, command())
		rules := filepath.Join(t.TempDir(), "rules.yaml")
		// The rule of docs/BOTS.md, with a shorter timeout.
		source := `rules:
  - name: bot
    match: {text: {prefix: "bot "}}
    forward: {to: "dns:///` + bot.Addr("listen") + `", timeout: 3s, fallback: {text: "The bot is asleep."}}
  - name: others
    reply: {text: "not for the bot"}
`
		if err := os.WriteFile(rules, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		s := startGateway(t, append(safe, "WXGATE_RULES="+rules), "serve")
		converse(t, s, []line{
			{"text", []string{"bot hello"}, "HELLO (message 1 of yours)"},
			{"text", []string{"hello"}, "not for the bot"},
			{"text", []string{"bot wait 60"}, "That takes too long."},
		})
		if code := bot.Stop(); code != 0 {
			t.Errorf("the bot's exit code is %d after SIGTERM:\n%s", code, bot.Logged())
		}
		converse(t, s, []line{{"text", []string{"bot hello"}, "The bot is asleep."}})
	})
}

// startGateway starts wxgate and returns a WeChat that sends to it, in safe mode.
func startGateway(t *testing.T, env []string, args ...string) *sender.Sender {
	t.Helper()
	return testproc.SenderTo(testproc.Start(t, env, args...).Addr("listen"), "safe")
}

func converse(t *testing.T, s *sender.Sender, lines []line) {
	t.Helper()
	for _, l := range lines {
		if got := testproc.Say(t, s, l.kind, l.args...); got != l.want {
			t.Errorf("%s %q: got %q, want %q", l.kind, l.args, got, l.want)
		}
	}
}
