package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// kube is where the files for Kubernetes are; composeFiles are those for Docker Compose, with what is on top of them.
const kube = "../deploy/kubernetes/"

var composeFiles = [][]string{
	{"../docker-compose.yml"},
	{"../docker-compose.yml", "../deploy/scale.yaml"},
	{"../docker-compose.yml", "../deploy/scale.yaml", "scale.yaml"},
}

// decode reads the documents of a YAML file.
func decode[T any](t *testing.T, file string) []T {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	for part := range strings.SplitSeq(string(data), "\n---\n") {
		var one T
		if err := yaml.Unmarshal([]byte(part), &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
	return all
}

var variable = regexp.MustCompile(`\(\$([A-Z_]+)\)`)

// variables returns the environment variables that each role reads; it ignores all others, mistyped ones too.
func variables(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{}
	for _, role := range []string{"gateway", "replier", "oauthsvc", "fakewechat"} {
		_, help, _ := run(t, nil, "", role, "--help")
		for _, found := range variable.FindAllStringSubmatch(help, -1) {
			known[role] = append(known[role], found[1])
		}
		if len(known[role]) == 0 {
			t.Fatalf("the help of %s names no variable:\n%s", role, help)
		}
	}
	return known
}

// isSetting tells whether a variable is meant for wxgate, and what it is called without _FILE behind it.
func isSetting(name string) (base string, ours bool) {
	return strings.TrimSuffix(name, "_FILE"), strings.HasPrefix(name, "WXGATE_") || strings.HasPrefix(name, "WECHAT_")
}

// composeFile is what the tests look at in a file of Docker Compose.
type composeFile struct {
	Services map[string]composeService
	Secrets  map[string]struct{ File string }
	Configs  map[string]struct{ File string }
	Volumes  map[string]any
}

type composeService struct {
	Command     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Secrets     []source
	Configs     []source
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
}

// source is a secret or configuration that a service gets, in its short or its long form.
type source struct{ Source, Target string }

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *source) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.Source = n.Value
		return nil
	}
	type plain source
	return n.Decode((*plain)(s))
}

// readCompose reads files as Docker Compose does, one on top of the other.
func readCompose(t *testing.T, files []string) composeFile {
	t.Helper()
	all := composeFile{Services: map[string]composeService{}, Secrets: map[string]struct{ File string }{},
		Configs: map[string]struct{ File string }{}, Volumes: map[string]any{}}
	for _, file := range files {
		f := decode[composeFile](t, file)[0]
		for name, over := range f.Services {
			s := all.Services[name]
			if over.Command != nil {
				s.Command = over.Command
			}
			if s.Environment == nil {
				s.Environment = map[string]string{}
			}
			for key, value := range over.Environment {
				s.Environment[key] = value
			}
			if over.Ports != nil && len(over.Ports) == 0 { // !reset
				s.Ports = nil
			}
			s.Ports = append(s.Ports, over.Ports...)
			s.Volumes = append(s.Volumes, over.Volumes...)
			s.Secrets = append(s.Secrets, over.Secrets...)
			s.Configs = append(s.Configs, over.Configs...)
			s.ReadOnly = s.ReadOnly || over.ReadOnly
			s.CapDrop = append(s.CapDrop, over.CapDrop...)
			all.Services[name] = s
		}
		for name, secret := range f.Secrets {
			all.Secrets[name] = secret
		}
		for name, config := range f.Configs {
			all.Configs[name] = config
		}
		for name := range f.Volumes {
			all.Volumes[name] = nil
		}
	}
	return all
}

// TestCompose looks for what Docker Compose, and wxgate, would not complain of.
func TestCompose(t *testing.T) {
	known := variables(t)
	for _, files := range composeFiles {
		all := readCompose(t, files)
		published := 0
		for name, s := range all.Services {
			in := files[len(files)-1] + ": " + name
			if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
				t.Errorf("%s: expected read_only and cap_drop: [ALL]", in)
			}
			if len(s.Ports) > 0 && name != "fakewechat" {
				published++
			}
			checkTargets(t, in, s.Environment, func(host string) bool { _, ok := all.Services[host]; return ok })
			for key, value := range s.Environment {
				base, ours := isSetting(key)
				if ours && len(s.Command) > 0 && !slices.Contains(known[s.Command[0]], base) {
					t.Errorf("%s: %s is not read by wxgate %s", in, key, s.Command[0])
				}
				if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok && !slices.Contains(s.Secrets, source{Source: secret}) {
					t.Errorf("%s: %s is a secret that it does not get", in, value)
				}
			}
			for _, secret := range s.Secrets {
				if all.Secrets[secret.Source].File == "" {
					t.Errorf("%s: there is no secret %s", in, secret.Source)
				}
			}
			for _, config := range s.Configs {
				if _, err := os.Stat(filepath.Join("..", all.Configs[config.Source].File)); err != nil || all.Configs[config.Source].File == "" {
					t.Errorf("%s: configuration %s: %v", in, config.Source, err)
				}
			}
			for _, volume := range s.Volumes {
				from, _, _ := strings.Cut(volume, ":")
				if _, ok := all.Volumes[from]; !ok && !strings.ContainsAny(from, "./$") {
					t.Errorf("%s: there is no volume %s", in, from)
				}
			}
		}
		if published != 1 {
			t.Errorf("%s: %d services publish ports besides the fake WeChat; want one", files, published)
		}
	}
}

var dnsTarget = regexp.MustCompile(`^dns:///([a-z]+):[0-9]+$`)

// checkTargets finds gRPC targets that name nobody.
func checkTargets(t *testing.T, in string, env map[string]string, exists func(host string) bool) {
	t.Helper()
	for key, value := range env {
		if found := dnsTarget.FindStringSubmatch(value); found != nil && !exists(found[1]) {
			t.Errorf("%s: %s: there is no %s", in, key, found[1])
		}
	}
}

// TestDeployRules: the rules that come with the files load.
func TestDeployRules(t *testing.T) {
	for _, file := range []string{kube + "rules.yaml", "scale-rules.yaml"} {
		if code, _, stderr := run(t, nil, "", "rules", "check", file); code != 0 {
			t.Errorf("%s: %s", file, stderr)
		}
	}
}
