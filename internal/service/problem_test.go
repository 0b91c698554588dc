package service

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, log := testEnv()
		env.Ready.setState(serving)
		p := NewProblem(env.ForService("replier"), "store")
		check := func(report, metric string) {
			t.Helper()
			w := httptest.NewRecorder()
			env.Ready.ServeHTTP(w, nil)
			if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != report {
				t.Errorf("/readyz: %d %s, want %s", w.Code, got, report)
			}
			w = httptest.NewRecorder()
			InternalMux(env).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
			if line := "\nwxgate_problem{problem=\"store\",service=\"replier\"} " + metric + "\n"; !strings.Contains(w.Body.String(), line) {
				t.Errorf("/metrics lacks %s", line)
			}
		}
		check(`{"status":"ready"}`, "0")
		p.Set(errors.New("cannot write: no space left on device"))
		time.Sleep(2 * time.Second)
		p.Set(errors.New("cannot write: timeout"))
		check(`{"status":"ready","problems":{"store":"since 2000-01-01T00:00:00Z: cannot write: timeout"}}`, "1")
		time.Sleep(3 * time.Second)
		p.Set(nil)
		p.Set(nil)
		check(`{"status":"ready"}`, "0")
		if got := log.String(); strings.Count(got, "\n") != 2 ||
			!strings.Contains(got, `"msg":"problem","service":"replier","problem":"store","error":"cannot write: no space left on device"`) ||
			!strings.Contains(got, `"msg":"problem solved","service":"replier","problem":"store","seconds":5`) {
			t.Errorf("the log:\n%s", got)
		}
	})
}
