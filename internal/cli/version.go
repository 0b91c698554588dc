package cli

import (
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// builtVersion is set by the build of an image, which has no version control: -ldflags "-X wxgate/internal/cli.builtVersion=v1.2.3".
var builtVersion string

// programVersion returns the version that the build was given, else the module's, else the commit that it was built from.
func programVersion() string {
	if builtVersion != "" {
		return builtVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// newVersionMetric returns a metric that has the version as its label.
func newVersionMetric() prometheus.Collector {
	version := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wxgate_build_info", Help: "1; the label has the version, as wxgate --version prints it.",
		ConstLabels: prometheus.Labels{"version": programVersion()},
	})
	version.Set(1)
	return version
}
