package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"wxgate/internal/loadgen"
	"wxgate/internal/service"
)

type loadCmd struct {
	accountFlags
	Rate       float64       `name:"rate" default:"100" help:"Messages per second; they are sent at this rate also when answers are late."`
	Duration   time.Duration `name:"duration" default:"10s" help:"For how long messages are sent."`
	Users      int           `name:"users" default:"10000" help:"Number of users that write."`
	Mix        string        `name:"mix" default:"text=80,event=20" help:"Kinds of message and the share of each."`
	Duplicates float64       `name:"duplicates" default:"0" placeholder:"PERCENT" help:"Percentage of messages that are sent twice at once, as WeChat sometimes does."`
	Echo       bool          `name:"echo" help:"Fail a text if its answer is a different text; for the built-in rules, which echo."`
	InFlight   int           `name:"in-flight" default:"4000" help:"Most requests at a time; a message that waits 5s for its turn has failed."`
	To         string        `name:"to" placeholder:"GH_ID" help:"The account's original id; by default a made-up one."`
	TestHosts  []string      `name:"test-hosts" placeholder:"HOST,…" help:"Hosts that you may load, besides this machine and names that end in .test."`
	Anywhere   bool          `name:"anywhere" help:"Load any host. Without the consent of its owner this is an attack."`
	JSON       string        `name:"json" placeholder:"FILE" help:"Write the report to a file as JSON too."`
	HTML       string        `name:"html" placeholder:"FILE" help:"Write the report to a file as a web page with plots too."`

	URL string `arg:"" name:"url" help:"Callback URL of the gateway."`
}

// Help describes the load.
func (c *loadCmd) Help() string {
	return "The latency of a message counts from the time at which it was due, so that a gateway that stalls is charged for the whole stall. " +
		"Every answer is checked as WeChat would check it.\n\n" +
		"Without --token, the account of \"wxgate dev\" is used. Ctrl-C ends the run early, with a report. The exit code is 1 if a message failed."
}

// Run sends the load and reports.
func (c *loadCmd) Run(ctx context.Context) error {
	account := fakeAccount(c.accountFlags, "")
	if c.To != "" {
		account.OriginalID = c.To
	}
	progress, endProgress := progressLine(os.Stderr)
	generator, err := loadgen.New(loadgen.Config{
		URL: c.URL, Account: account, Rate: c.Rate, Duration: c.Duration, Users: c.Users, Mix: c.Mix, Duplicates: c.Duplicates,
		InFlight: c.InFlight, Echo: c.Echo, TestHosts: c.TestHosts, Anywhere: c.Anywhere, Progress: progress,
	})
	asJSON, jsonErr := openReport("json", c.JSON)
	asHTML, htmlErr := openReport("html", c.HTML)
	if err := errors.Join(err, jsonErr, htmlErr); err != nil {
		return errors.Join(err, asJSON.discardReport(), asHTML.discardReport())
	}
	report := generator.Run(ctx)
	endProgress()
	err = errors.Join(report.WriteText(os.Stdout), asJSON.writeReport(report.WriteJSON), asHTML.writeReport(report.WriteHTML))
	if report.Failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d messages failed", report.Failed, report.Messages))
	}
	return err
}

// progressLine returns a function that writes progress, on a terminal always into the same line, and one that clears that line.
func progressLine(w *os.File) (write func(loadgen.Progress), end func()) {
	if !term.IsTerminal(int(w.Fd())) {
		return func(p loadgen.Progress) { fmt.Fprintln(w, p) }, func() {}
	}
	const clearLine = "\r\x1b[K"
	return func(p loadgen.Progress) {
		line := p.String()
		if width, _, err := term.GetSize(int(w.Fd())); err == nil && width > 0 {
			line = line[:min(len(line), width-1)] // a second line would stay
		}
		fmt.Fprintf(w, "%s%s", clearLine, line)
	}, func() { fmt.Fprintf(w, "%s", clearLine) }
}

// reportFile is a file that is written at the end of a run. It is opened before the run, so that a bad name fails early. A nil
// reportFile is not written.
type reportFile struct {
	file  *os.File
	isNew bool // it did not exist before
}

// openReport opens the file of a setting; nil if it has no name. The content stays until the report is written.
func openReport(setting, name string) (*reportFile, error) {
	if name == "" {
		return nil, nil
	}
	_, err := os.Stat(name)
	isNew := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, service.BadSetting(setting, "%w", err)
	}
	return &reportFile{file, isNew}, nil
}

// writeReport replaces the content of the file, and closes it.
func (r *reportFile) writeReport(report func(io.Writer) error) error {
	if r == nil {
		return nil
	}
	if info, err := r.file.Stat(); err == nil && info.Mode().IsRegular() {
		if err := r.file.Truncate(0); err != nil {
			return errors.Join(err, r.file.Close())
		}
	}
	return errors.Join(report(r.file), r.file.Close())
}

// discardReport closes the file, and removes it if it is new.
func (r *reportFile) discardReport() error {
	if r == nil {
		return nil
	}
	err := r.file.Close()
	if r.isNew {
		err = errors.Join(err, os.Remove(r.file.Name()))
	}
	return err
}
