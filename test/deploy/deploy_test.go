package deploy

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wxgate/test/testproc"

	"go.yaml.in/yaml/v4"
)

// kube is where the files for Kubernetes are.
const kube = "../../deploy/kubernetes/"

// composeForm is one way to call Docker Compose, and what comes up then.
type composeForm struct {
	env, profiles, files []string
	replicas             map[string]string // one, where it is not here
	services             []string
	public               string // the service that is reached from outside
}

var (
	roles   = []string{"gateway", "oauthsvc", "replier"}
	around  = []string{"front", "nats-1", "nats-2", "nats-3"}
	several = map[string]string{"gateway": "2", "replier": "3", "oauthsvc": "2"}
)

var composeForms = map[string]composeForm{
	"one of each": {
		services: roles, public: "gateway"},
	"with a fake WeChat": {
		env: []string{"../compose.env"}, profiles: []string{"dev"},
		services: slices.Concat(roles, []string{"fakewechat"}), public: "gateway"},
	"several of each": {
		env: []string{"../../deploy/scale.env"}, profiles: []string{"scale"},
		replicas: several, services: slices.Concat(roles, around), public: "front"},
	"several of each, with a fake WeChat": {
		env: []string{"../compose.env", "../../deploy/scale.env"}, profiles: []string{"dev", "scale"}, files: []string{"../scale.yaml"},
		replicas: several, services: slices.Concat(roles, around, []string{"fakewechat", "bot"}), public: "front"},
}

// decode reads the documents of a YAML file.
func decode[T any](t *testing.T, file string) []T {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decodeText[T](t, file, string(data))
}

func decodeText[T any](t *testing.T, file, text string) []T {
	t.Helper()
	var all []T
	for part := range strings.SplitSeq(text, "\n---\n") {
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
		_, help, _ := testproc.Run(t, nil, "", role, "--help")
		for _, found := range variable.FindAllStringSubmatch(help, -1) {
			known[role] = append(known[role], found[1])
		}
		if len(known[role]) == 0 {
			t.Fatalf("the help of %s names no variable:\n%s", role, help)
		}
	}
	return known
}

// isSetting reports whether a variable is meant for wxgate, and returns its name without the suffix _FILE.
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
	Profiles    []string
	Deploy      struct{ Replicas string }
	Command     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Secrets     []source
	Configs     []source
	DependsOn   dependencies `yaml:"depends_on"`
	ReadOnly    bool         `yaml:"read_only"`
	CapDrop     []string     `yaml:"cap_drop"`
}

// dependencies are the services that another needs.
type dependencies []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *dependencies) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(d))
	}
	var long map[string]struct{ Required *bool }
	if err := n.Decode(&long); err != nil {
		return err
	}
	for name, one := range long {
		if one.Required == nil || *one.Required {
			*d = append(*d, name)
		}
	}
	return nil
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

var substitution = regexp.MustCompile(`\$\{([A-Z_]+)(:?-)?([^}]*)\}`)

// expand puts the values of variables into a text, as Docker Compose does.
func expand(text string, env map[string]string, used map[string]bool) string {
	return substitution.ReplaceAllStringFunc(text, func(found string) string {
		part := substitution.FindStringSubmatch(found)
		used[part[1]] = true
		value, set := env[part[1]]
		if !set || value == "" && part[2] == ":-" {
			return part[3]
		}
		return value
	})
}

// readCompose returns what comes up in a form: its files, one on top of the other, with the variables of its env files
// and without the services of other profiles.
func readCompose(t *testing.T, form composeForm) composeFile {
	t.Helper()
	env, used := map[string]string{}, map[string]bool{}
	for _, file := range form.env {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
				env[name] = expand(value, env, used)
			}
		}
	}
	all := composeFile{Services: map[string]composeService{}}
	for _, file := range slices.Concat([]string{"../../docker-compose.yml"}, form.files) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f := decodeText[composeFile](t, file, expand(string(data), env, used))[0]
		if all.Secrets == nil { // the rest only adds services
			all.Secrets, all.Configs, all.Volumes = f.Secrets, f.Configs, f.Volumes
		}
		for name, over := range f.Services {
			s, known := all.Services[name]
			if !known {
				all.Services[name] = over
				continue
			}
			environment := maps.Clone(s.Environment)
			maps.Copy(environment, over.Environment)
			s.Environment = environment // others may have the same: it is not written to
			s.Volumes = append(s.Volumes, over.Volumes...)
			s.DependsOn = append(s.DependsOn, over.DependsOn...)
			all.Services[name] = s
		}
	}
	for name := range env {
		if !used[name] {
			t.Errorf("%s of %s is not used", name, form.env)
		}
	}
	maps.DeleteFunc(all.Services, func(_ string, s composeService) bool {
		return s.Profiles != nil && !slices.ContainsFunc(s.Profiles, func(p string) bool { return slices.Contains(form.profiles, p) })
	})
	return all
}

// TestCompose looks for what Docker Compose, and wxgate, would not complain of.
func TestCompose(t *testing.T) {
	known := variables(t)
	for title, form := range composeForms {
		t.Run(title, func(t *testing.T) {
			all := readCompose(t, form)
			want, got := slices.Sorted(slices.Values(form.services)), slices.Sorted(maps.Keys(all.Services))
			if !slices.Equal(want, got) {
				t.Errorf("%q come up, want %q", got, want)
			}
			for name, s := range all.Services {
				checkReplicas(t, name, s, cmp.Or(form.replicas[name], "1"))
				checkPorts(t, name, s, name == form.public)
				checkParts(t, name, s, all)
				for key := range s.Environment {
					base, ours := isSetting(key)
					if ours && len(s.Command) > 0 && !slices.Contains(known[s.Command[0]], base) {
						t.Errorf("%s: %s is not read by wxgate %s", name, key, s.Command[0])
					}
				}
				exists := func(host string) bool { _, ok := all.Services[host]; return ok }
				checkTargets(t, name, s.Environment, exists)
				for _, other := range s.DependsOn {
					if !exists(other) {
						t.Errorf("%s depends on %s, which does not come up", name, other)
					}
				}
			}
		})
	}
}

// checkReplicas finds services that come up in another number, or that several of cannot share what they have.
func checkReplicas(t *testing.T, name string, s composeService, want string) {
	t.Helper()
	if got := cmp.Or(s.Deploy.Replicas, "1"); got != want {
		t.Errorf("%s: %s come up, want %s", name, got, want)
	}
	if len(s.Command) == 0 || !slices.Contains(roles, s.Command[0]) {
		return
	}
	dir, nats := s.Environment["WXGATE_DATA_DIR"], s.Environment["WXGATE_NATS"]
	if want != "1" && (dir != "" || nats == "") {
		t.Errorf("%s: several have the directory %q and NATS at %q", name, dir, nats)
	}
	if want == "1" && nats != "" {
		t.Errorf("%s: one has NATS at %q", name, nats)
	}
}

// checkPorts finds ports that are reached from outside, and several containers that want the same one.
func checkPorts(t *testing.T, name string, s composeService, public bool) {
	t.Helper()
	reached := false
	for _, port := range s.Ports {
		local, loopback := strings.CutPrefix(port, "127.0.0.1:")
		reached = reached || !loopback
		if host, _, _ := strings.Cut(local, ":"); s.Deploy.Replicas != "" && s.Deploy.Replicas != "1" && host != "" {
			t.Errorf("%s: several want port %s", name, port)
		}
	}
	if reached != public {
		t.Errorf("%s: reached from outside: %v, want %v: %q", name, reached, public, s.Ports)
	}
}

// checkParts finds what a service may do beyond its work, and parts of it that are nowhere.
func checkParts(t *testing.T, name string, s composeService, all composeFile) {
	t.Helper()
	if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
		t.Errorf("%s: expected read_only and cap_drop: [ALL]", name)
	}
	for _, value := range s.Environment {
		if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok && !slices.Contains(s.Secrets, source{Source: secret}) {
			t.Errorf("%s: %s is a secret that it does not get", name, value)
		}
	}
	for _, secret := range s.Secrets {
		if all.Secrets[secret.Source].File == "" {
			t.Errorf("%s: there is no secret %s", name, secret.Source)
		}
	}
	for _, config := range s.Configs {
		if _, err := os.Stat(filepath.Join("../..", all.Configs[config.Source].File)); err != nil || all.Configs[config.Source].File == "" {
			t.Errorf("%s: configuration %s: %v", name, config.Source, err)
		}
	}
	for _, volume := range s.Volumes {
		from, _, _ := strings.Cut(volume, ":")
		if _, ok := all.Volumes[from]; !ok && !strings.ContainsAny(from, "./") {
			t.Errorf("%s: there is no volume %s", name, from)
		}
	}
}

var dnsTarget = regexp.MustCompile(`(?:^dns:///|\bnats://(?:[^@,]*@)?)([a-z0-9-]+):[0-9]+`)

// checkTargets finds gRPC targets, and NATS servers, that name nobody.
func checkTargets(t *testing.T, in string, env map[string]string, exists func(host string) bool) {
	t.Helper()
	for key, value := range env {
		for _, found := range dnsTarget.FindAllStringSubmatch(value, -1) {
			if !exists(found[1]) {
				t.Errorf("%s: %s: there is no %s", in, key, found[1])
			}
		}
	}
}

// TestDeployRules: the rules that come with the files load.
func TestDeployRules(t *testing.T) {
	for _, file := range []string{kube + "rules.yaml", "../scale-rules.yaml"} {
		if code, _, stderr := testproc.Run(t, nil, "", "rules", "check", file); code != 0 {
			t.Errorf("%s: %s", file, stderr)
		}
	}
}
