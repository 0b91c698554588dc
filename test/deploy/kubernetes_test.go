package deploy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// labels are those of a pod, or what somebody looks for.
type labels map[string]string

// in reports whether others have all of them.
func (l labels) in(others labels) bool {
	for key, value := range l {
		if others[key] != value {
			return false
		}
	}
	return len(l) > 0
}

type selector struct {
	MatchLabels labels `yaml:"matchLabels"`
}

type port struct {
	Name string
	Port int `yaml:"containerPort"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

type container struct {
	Name, Image string
	Args        []string
	Env         []struct{ Name, Value string }
	EnvFrom     []struct {
		ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
	} `yaml:"envFrom"`
	Ports          []port
	StartupProbe   *probe `yaml:"startupProbe"`
	ReadinessProbe *probe `yaml:"readinessProbe"`
	LivenessProbe  *probe `yaml:"livenessProbe"`
	Resources      struct{ Requests, Limits struct{ CPU, Memory string } }
	Security       struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

// keep is a secret or a ConfigMap of which a volume has all or some.
type keep struct {
	Name       string
	SecretName string `yaml:"secretName"`
	Items      []struct{ Key, Path string }
}

type volume struct {
	Name      string
	Secret    *keep
	ConfigMap *keep `yaml:"configMap"`
	Projected struct {
		Sources []struct {
			Secret    *keep
			ConfigMap *keep `yaml:"configMap"`
		}
	}
}

type podSpec struct {
	Security struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Spread []struct {
		LabelSelector selector `yaml:"labelSelector"`
	} `yaml:"topologySpreadConstraints"`
	Containers []container
	Volumes    []volume
}

// peer is a side of a NetworkPolicy: whom it may talk to, and on which ports.
type peer struct {
	From, To []struct {
		PodSelector *selector `yaml:"podSelector"`
	}
	Ports []struct{ Port string }
}

// object is anything of Kubernetes: what the tests look at, of all kinds.
type object struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		Selector    map[string]any // of a Service the labels, else a selector
		PodSelector selector       `yaml:"podSelector"`
		Ingress     []peer
		Egress      []peer
		Ports       []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Rules []struct {
			HTTP struct {
				Paths []struct {
					Backend struct {
						Service struct{ Name string }
					}
				}
			}
		}
		VolumeClaims []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
		Template     struct {
			Metadata struct{ Labels labels }
			Spec     podSpec
		}
	}
}

// labels returns those that a Service or another object selects pods by.
func (o *object) labels() labels {
	selected := o.Spec.Selector
	if o.Kind != "Service" {
		selected, _ = selected["matchLabels"].(map[string]any)
	}
	found := labels{}
	for key, value := range selected {
		found[key] = fmt.Sprint(value)
	}
	return found
}

func (o *object) String() string { return strings.ToLower(o.Kind) + " " + o.Metadata.Name }

type generator struct {
	Name        string
	Files, Envs []string
}

// kustomization is deploy/kubernetes, read.
type kustomization struct {
	Resources          []string
	ConfigMapGenerator []generator `yaml:"configMapGenerator"`
	SecretGenerator    []generator `yaml:"secretGenerator"`
	objects            []object
}

func readKustomization(t *testing.T) kustomization {
	t.Helper()
	k := decode[kustomization](t, kube+"kustomization.yaml")[0]
	for _, file := range k.Resources {
		k.objects = append(k.objects, decode[object](t, kube+file)...)
	}
	return k
}

// keys returns what is in each generated ConfigMap and secret, by name.
func (k *kustomization) keys() map[string][]string {
	keys := map[string][]string{}
	for _, g := range slices.Concat(k.ConfigMapGenerator, k.SecretGenerator) {
		keys[g.Name] = []string{}
		for _, file := range g.Files {
			keys[g.Name] = append(keys[g.Name], filepath.Base(file))
		}
	}
	return keys
}

// pods returns the objects that make pods.
func (k *kustomization) pods() []object {
	return slices.DeleteFunc(slices.Clone(k.objects), func(o object) bool { return len(o.Spec.Template.Spec.Containers) == 0 })
}

// ports returns the names of the ports of the pods that have some labels; nil where there is no such pod.
func (k *kustomization) ports(wanted labels) []string {
	var names []string
	for _, o := range k.pods() {
		if !wanted.in(o.Spec.Template.Metadata.Labels) {
			continue
		}
		for _, c := range o.Spec.Template.Spec.Containers {
			for _, port := range c.Ports {
				names = append(names, port.Name)
			}
		}
	}
	return names
}

// TestKustomizationIsWhole: a file that is not listed is not applied.
func TestKustomizationIsWhole(t *testing.T) {
	k := readKustomization(t)
	listed := append(slices.Clone(k.Resources), "kustomization.yaml")
	for _, g := range slices.Concat(k.ConfigMapGenerator, k.SecretGenerator) {
		listed = append(append(listed, g.Files...), g.Envs...)
	}
	files, err := filepath.Glob(kube + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "secrets" && !slices.Contains(listed, name) {
			t.Errorf("%s is not listed in kustomization.yaml", name)
		}
	}
	for _, name := range listed {
		if strings.HasPrefix(name, "secrets/") {
			continue // the operator's
		}
		if _, err := os.Stat(kube + name); err != nil {
			t.Error(err)
		}
	}
}

// TestSelectors: what selects no pod, or a port that it has not, does nothing.
func TestSelectors(t *testing.T) {
	k := readKustomization(t)
	services := map[string]bool{}
	for _, o := range k.objects {
		if o.Kind == "Service" {
			services[o.Metadata.Name] = true
		}
	}
	for _, o := range k.objects {
		if o.Metadata.Namespace != "" {
			t.Errorf("%s names a namespace", &o)
		}
		switch o.Kind {
		case "Service", "PodDisruptionBudget", "Deployment", "StatefulSet":
			ports := k.ports(o.labels())
			if len(ports) == 0 {
				t.Errorf("%s: no pod has %v", &o, o.labels())
			}
			for _, port := range o.Spec.Ports {
				if !slices.Contains(ports, port.TargetPort) {
					t.Errorf("%s: its pods have no port %q", &o, port.TargetPort)
				}
			}
			for _, spread := range o.Spec.Template.Spec.Spread {
				if !spread.LabelSelector.MatchLabels.in(o.Spec.Template.Metadata.Labels) {
					t.Errorf("%s: spreads other pods than its own", &o)
				}
			}
		case "NetworkPolicy":
			own := k.ports(o.Spec.PodSelector.MatchLabels)
			if len(own) == 0 {
				t.Errorf("%s: no pod has %v", &o, o.Spec.PodSelector.MatchLabels)
			}
			for _, side := range o.Spec.Ingress {
				k.checkPeer(t, &o, side, own)
			}
			for _, side := range o.Spec.Egress {
				k.checkPeer(t, &o, side, nil)
			}
		case "Ingress":
			for _, rule := range o.Spec.Rules {
				for _, path := range rule.HTTP.Paths {
					if !services[path.Backend.Service.Name] {
						t.Errorf("%s: there is no service %q", &o, path.Backend.Service.Name)
					}
				}
			}
		default:
			t.Errorf("%s: nothing checks this kind", &o)
		}
	}
}

// checkPeer checks one rule of a policy; own are the ports of the policy's pods, nil for an egress.
func (k *kustomization) checkPeer(t *testing.T, o *object, rule peer, own []string) {
	t.Helper()
	if len(rule.From)+len(rule.To) == 0 || len(rule.Ports) == 0 {
		t.Errorf("%s: a rule for everybody, or for every port", o)
	}
	for _, other := range slices.Concat(rule.From, rule.To) {
		if other.PodSelector == nil {
			continue
		}
		theirs := k.ports(other.PodSelector.MatchLabels)
		if len(theirs) == 0 {
			t.Errorf("%s: no pod has %v", o, other.PodSelector.MatchLabels)
		}
		for _, port := range rule.Ports {
			if own == nil && !slices.Contains(theirs, port.Port) {
				t.Errorf("%s: %v have no port %s", o, other.PodSelector.MatchLabels, port.Port)
			}
		}
	}
	for _, port := range rule.Ports {
		if own != nil && !slices.Contains(own, port.Port) {
			t.Errorf("%s: its pods have no port %s", o, port.Port)
		}
	}
}

// TestPods: settings that nobody reads, files that nobody mounts, probes of no port, and rights that nobody needs.
func TestPods(t *testing.T) {
	k := readKustomization(t)
	known, kept := variables(t), k.keys()
	served := map[string]bool{}
	for _, o := range k.objects {
		for _, port := range o.Spec.Ports {
			served[fmt.Sprintf("dns:///%s:%d", o.Metadata.Name, port.Port)] = o.Kind == "Service"
		}
	}
	for _, o := range k.pods() {
		pod := o.Spec.Template.Spec
		if pod.Security.RunAsUser == 0 || !pod.Security.RunAsNonRoot || pod.Security.SeccompProfile.Type != "RuntimeDefault" || len(pod.Spread) == 0 {
			t.Errorf("%s: expected a user other than root, the default seccomp profile, and pods on several machines", &o)
		}
		files := mounts(t, &o, kept)
		for _, c := range pod.Containers {
			checkContainer(t, &o, c)
			if c.Image != "wxgate" {
				continue
			}
			for _, e := range c.Env {
				if e.Name == "GOMEMLIMIT" { // the Go runtime reads it
					continue
				}
				base, _ := isSetting(e.Name)
				if !slices.Contains(known[c.Args[0]], base) {
					t.Errorf("%s: %s is not read by wxgate %s", &o, e.Name, c.Args[0])
				}
				if strings.HasPrefix(e.Value, "/") && !files[e.Value] {
					t.Errorf("%s: %s: there is no file %s among %v", &o, e.Name, e.Value, slices.Sorted(maps.Keys(files)))
				}
				if strings.HasPrefix(e.Value, "dns:") && !served[e.Value] {
					t.Errorf("%s: %s: nobody serves %s", &o, e.Name, e.Value)
				}
				if number, ok := strings.CutPrefix(e.Value, ":"); ok && !slices.ContainsFunc(c.Ports, func(p port) bool { return strconv.Itoa(p.Port) == number }) {
					t.Errorf("%s: %s: its container has no port %s", &o, e.Name, number)
				}
			}
			for _, from := range c.EnvFrom {
				if _, ok := kept[from.ConfigMapRef.Name]; !ok {
					t.Errorf("%s: there is no ConfigMap %q", &o, from.ConfigMapRef.Name)
				}
			}
		}
	}
	settings, err := os.ReadFile(kube + "settings.env")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(settings)) {
		name, _, _ := strings.Cut(line, "=")
		if !slices.Contains(slices.Concat(slices.Collect(maps.Values(known))...), name) {
			t.Errorf("settings.env: %s is read by nobody", name)
		}
	}
}

// mounts returns the paths of the files that an object's containers have from secrets and ConfigMaps.
func mounts(t *testing.T, o *object, kept map[string][]string) map[string]bool {
	t.Helper()
	inside := map[string][]string{} // files by volume
	for _, claim := range o.Spec.VolumeClaims {
		inside[claim.Metadata.Name] = nil
	}
	for _, v := range o.Spec.Template.Spec.Volumes {
		inside[v.Name] = nil
		sources := []*keep{v.Secret, v.ConfigMap}
		for _, s := range v.Projected.Sources {
			sources = append(sources, s.Secret, s.ConfigMap)
		}
		for _, s := range sources {
			if s == nil {
				continue
			}
			keys, ok := kept[s.Name+s.SecretName]
			if !ok {
				t.Errorf("%s: nothing makes %q", o, s.Name+s.SecretName)
			}
			if len(s.Items) == 0 {
				inside[v.Name] = append(inside[v.Name], keys...)
			}
			for _, item := range s.Items {
				if !slices.Contains(keys, item.Key) {
					t.Errorf("%s: %q has no %q", o, s.Name+s.SecretName, item.Key)
				}
				inside[v.Name] = append(inside[v.Name], item.Path)
			}
		}
	}
	files := map[string]bool{}
	for _, c := range o.Spec.Template.Spec.Containers {
		for _, m := range c.VolumeMounts {
			names, ok := inside[m.Name]
			if !ok {
				t.Errorf("%s: there is no volume %q", o, m.Name)
			}
			for _, name := range names {
				files[m.MountPath+"/"+name] = true
			}
		}
	}
	return files
}

// checkMemoryLimit: the garbage collector is told of the limit, so that it works harder before the kernel kills.
func checkMemoryLimit(t *testing.T, o *object, c container) {
	t.Helper()
	limit, err := strconv.Atoi(strings.TrimSuffix(c.Resources.Limits.Memory, "Mi"))
	if err != nil {
		t.Errorf("%s: limits.memory: %q; expected MiB", o, c.Resources.Limits.Memory)
	}
	for _, e := range c.Env {
		if e.Name == "GOMEMLIMIT" {
			if soft, err := strconv.Atoi(strings.TrimSuffix(e.Value, "MiB")); err != nil || soft < limit*8/10 || soft > limit*9/10 {
				t.Errorf("%s: GOMEMLIMIT is %s; expected 80 to 90%% of %d MiB", o, e.Value, limit)
			}
			return
		}
	}
	t.Errorf("%s: GOMEMLIMIT is missing beside limits.memory", o)
}

func checkContainer(t *testing.T, o *object, c container) {
	t.Helper()
	var ports []string
	for _, port := range c.Ports {
		ports = append(ports, port.Name)
	}
	if c.ReadinessProbe == nil || c.LivenessProbe == nil {
		t.Errorf("%s: expected probes of life and readiness", o)
	}
	for _, p := range []*probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p != nil && (!slices.Contains(ports, p.HTTPGet.Port) || !strings.HasPrefix(p.HTTPGet.Path, "/")) {
			t.Errorf("%s: a probe asks %v; its container has the ports %v", o, p.HTTPGet, ports)
		}
	}
	if c.Resources.Requests.CPU == "" || c.Resources.Requests.Memory == "" || c.Resources.Limits.Memory == "" {
		t.Errorf("%s: expected requests of CPU and memory, and a limit of memory", o)
	}
	checkMemoryLimit(t, o, c)
	s := c.Security
	if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("%s: expected a container without rights", o)
	}
}
