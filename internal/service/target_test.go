package service

import (
	"strings"
	"testing"
)

// TestFindingsTargetsThatNeverWork: an HTTP address, an unknown scheme and a path are no gRPC targets, and the error says so.
func TestFindingsTargetsThatNeverWork(t *testing.T) {
	for target, want := range map[string]string{
		"http://127.0.0.1:8080/hook":  "is an HTTP address",
		"HTTPS://bot.example.com":     "is an HTTP address",
		"xds:///foo":                  `the scheme "xds" is unknown`,
		"grpc://bot:9001":             `the scheme "grpc" is unknown`,
		"bot:9001/hook":               "is not a gRPC target",
		"dns:///bot:9001/hook":        "is not a gRPC target",
		"passthrough:///bot:9001/a":   "is not a gRPC target",
		"dns:///bot :9001":            "is not a gRPC target",
		"bot:9001":                    "",
		"bot":                         "",
		"127.0.0.1:9001":              "",
		"[::1]:9001":                  "",
		"dns:bot:9001":                "",
		"dns:///bot:9001":             "",
		"dns://8.8.8.8/bot:9001":      "",
		"passthrough:///127.0.0.1:99": "",
		"unix:///run/bot.sock":        "",
		"unix:run/bot.sock":           "",
	} {
		err := CheckTarget(target)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", target, err, want)
		}
	}
}
