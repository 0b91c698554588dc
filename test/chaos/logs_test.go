package chaos

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"wxgate/test/testproc"
)

// eachLine hands the lines of a process's log over.
func (d *daemon) eachLine(t *testing.T, do func(line string)) {
	t.Helper()
	f, err := os.Open(d.log)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		do(lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Errorf("%s: %v", d.log, err)
	}
}

// clean looks through a process's log for message texts, openids and secrets.
func (d *daemon) clean(t *testing.T) {
	t.Helper()
	found := map[string]bool{}
	d.eachLine(t, func(line string) {
		for _, secret := range []string{chaosMark, openidMark, testproc.Token, testproc.AESKey, testproc.AppSecret} {
			if strings.Contains(line, secret) && !found[secret] {
				found[secret] = true
				t.Errorf("%s: %q is in the log: %.600s", d.name, secret, line)
			}
		}
	})
}

// tail returns the last lines of a process's log.
func (d *daemon) tail(t *testing.T, n int) string {
	t.Helper()
	var last []string
	d.eachLine(t, func(line string) {
		if len(last) == n {
			last = last[1:]
		}
		last = append(last, line)
	})
	return strings.Join(last, "\n")
}

// trace returns what the processes logged of a message, by its MsgId and its delivery's id, which may be empty.
func trace(t *testing.T, daemons []*daemon, msgID, deliveryID string) string {
	t.Helper()
	var b strings.Builder
	for _, d := range daemons {
		d.eachLine(t, func(line string) {
			ours := strings.Contains(line, msgID) || deliveryID != "" && strings.Contains(line, deliveryID)
			if ours && b.Len() < 8<<10 {
				b.WriteString("    " + d.name + ": " + line + "\n")
			}
		})
	}
	return b.String()
}
