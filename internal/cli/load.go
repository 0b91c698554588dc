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
)

type loadCmd struct {
	accountFlags
	Rate       float64       `name:"rate" default:"100" help:"Messages a second, whatever comes back."`
	Duration   time.Duration `name:"duration" default:"10s" help:"How long messages are sent."`
	Users      int           `name:"users" default:"10000" help:"How many users write."`
	Mix        string        `name:"mix" default:"text=80,event=20" help:"Kinds of message and their shares."`
	Duplicates float64       `name:"duplicates" default:"0" placeholder:"PERCENT" help:"Percent of the messages that are sent twice at once, as WeChat does at times."`
	Echo       bool          `name:"echo" help:"A text that answers a text must be the same, as by the built-in rules."`
	InFlight   int           `name:"in-flight" default:"4000" help:"The most requests at a time; what has to wait 5s for others has failed."`
	To         string        `name:"to" placeholder:"GH_ID" help:"The account's original id."`
	TestHosts  []string      `name:"test-hosts" placeholder:"HOST,…" help:"Hosts that are yours to load, besides this machine and names that end with .test."`
	Anywhere   bool          `name:"anywhere" help:"Load any host. It is an attack where nobody asked for it."`
	JSON       string        `name:"json" placeholder:"FILE" help:"Write the report as JSON too."`
	HTML       string        `name:"html" placeholder:"FILE" help:"Write the report as a page with plots too."`

	URL string `arg:"" name:"url" help:"Callback URL of the gateway."`
}

// Help describes the load.
func (c *loadCmd) Help() string {
	return "Each message has a time at which it is due; its latency counts from then, so a gateway that stands still is not spared. " +
		"Every answer is judged as WeChat would.\n\n" +
		"Without --token the account of \"wxgate dev\" is used. Ctrl-C ends it early, with a report. Exit 1 where a message failed."
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
		return errors.Join(err, asJSON.discard(), asHTML.discard())
	}
	report := generator.Run(ctx)
	endProgress()
	err = errors.Join(report.WriteText(os.Stdout), asJSON.write(report.WriteJSON), asHTML.write(report.WriteHTML))
	if report.Failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d messages failed", report.Failed, report.Messages))
	}
	return err
}

// progressLine returns what writes progress, on a terminal always into the same line, and what ends that line.
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

// reportFile is a file that is written at the end of a run, and must not fail only then. A nil one is none.
type reportFile struct {
	file *os.File
	made bool // it was not there before
}

// openReport opens the file of a flag; nil where no name is given. What it holds stays until it is written.
func openReport(flag, name string) (*reportFile, error) {
	if name == "" {
		return nil, nil
	}
	_, err := os.Stat(name)
	made := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return &reportFile{file, made}, nil
}

// write replaces what the file holds, and closes it.
func (r *reportFile) write(report func(io.Writer) error) error {
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

// discard leaves things as they were.
func (r *reportFile) discard() error {
	if r == nil {
		return nil
	}
	err := r.file.Close()
	if r.made {
		err = errors.Join(err, os.Remove(r.file.Name()))
	}
	return err
}
