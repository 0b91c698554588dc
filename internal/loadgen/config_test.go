package loadgen

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxgate/fakewechat/sender"
)

func TestValidate(t *testing.T) {
	good := config("http://127.0.0.1:8000/")
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{
		URL: "http://u:secret@www.example.com/", Account: testAccount("loud"), Rate: -1, Duration: -time.Second, Users: 0, Mix: "text=80,telegram=1,event=x,text=2",
		Duplicates: 101, InFlight: 0, TestHosts: []string{"http://x"},
	}
	g, err := New(bad)
	if g != nil || err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"URL must look like", `--test-hosts: "http://x"`, `--mix: unknown kind "telegram"; kinds: event, image`, "--mix: event=x; expected a share", "--mix: text occurs twice",
		"--rate: -1; expected a number from 0.01 to 100000", "--users: 0", "--duplicates: 101", "--in-flight: 0", "--duration: -1s", `unknown mode "loud"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the password: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"--rate":     func(c *Config) { c.Rate /= 1e9 },
		"--duration": func(c *Config) { c.Duration = 25 * time.Hour },
		"--aes-key":  func(c *Config) { c.Account.Mode, c.Account.AESKey = sender.Safe, "short" },
		"--mix":      func(c *Config) { c.Mix = "" },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) || len(strings.Split(err.Error(), "\n")) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		url      string
		hosts    []string
		anywhere bool
		good     bool
	}{
		{"http://127.0.0.1:8000/", nil, false, true},
		{"http://127.8.9.1/", nil, false, true},
		{"http://[::1]:8000/", nil, false, true},
		{"http://[::ffff:127.0.0.1]/", nil, false, true},
		{"http://0.0.0.0:8000/", nil, false, true},
		{"http://LOCALHOST:8000/", nil, false, true},
		{"http://a.localhost./", nil, false, true},
		{"https://gateway.test/wechat/one?x=1", nil, false, true},
		{"https://wx.example.com/", nil, false, false},
		{"https://wx.example.com/", nil, true, true},
		{"https://WX.example.com./", []string{"a.example.com", "wx.Example.com"}, false, true},
		{"https://a.wx.example.com/", []string{"wx.example.com"}, false, false},
		{"http://10.0.0.5/", nil, false, false},
		{"http://10.0.0.5/", []string{"10.0.0.5"}, false, true},
		{"http://[fd00::5]:80/", []string{"[fd00::5]"}, false, true},
		{"http://notlocalhost/", nil, false, false},
		{"http://mylocalhost.com/", nil, false, false},
		{"http://127.0.0.1.example.com/", nil, false, false},
		{"http://127.0.0.1@example.com/", nil, true, false},
		{"http://2130706433/", nil, false, false},
		{"ftp://127.0.0.1/", nil, true, false},
		{"127.0.0.1:8000", nil, true, false},
		{"http:///", nil, true, false},
		{"", nil, true, false},
	} {
		err := Config{URL: c.url, TestHosts: c.hosts, Anywhere: c.anywhere}.validateTarget()
		if (err == nil) != c.good {
			t.Errorf("%q, hosts %q, anywhere %v: %v", c.url, c.hosts, c.anywhere, err)
		}
	}
}

func TestMix(t *testing.T) {
	m, err := parseMix(" text = 80, event=20 ,link=0.5")
	if err != nil || m.String() != "text=80,event=20,link=0.5" {
		t.Fatal(m, err)
	}
	counts := map[string]int{}
	for range 2010 {
		counts[m.nextKind()]++
	}
	if diff := cmp.Diff(map[string]int{"text": 1600, "event": 400, "link": 10}, counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, s := range []string{"", ",", "text", "text=", "text=0", "text=-1", "text=NaN", "text=Inf", "text=1,", "Text=1", "=1"} {
		if _, err := parseMix(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

// Every kind of a mix can be composed.
func TestKinds(t *testing.T) {
	for kind := range kinds {
		cfg := config("http://127.0.0.1/")
		m, err := parseMix(kind + "=1")
		if err != nil {
			t.Fatal(err)
		}
		w := newMessageWriter(cfg, m)
		for n := range 20 {
			msg := w.nextMessage(n, time.Unix(1767225600, 0))
			if !strings.Contains(string(msg.callback), "<CreateTime>1767225600</CreateTime>") {
				t.Errorf("%s: %s", kind, msg.callback)
			}
		}
	}
}
