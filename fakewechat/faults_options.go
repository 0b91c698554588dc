package fakewechat

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"wxgate/fakewechat/sender"
)

// faultOption is one of the faults by its name. JSON has a duration as a string.
type faultOption struct {
	name     string
	isString bool
	set      func(f *Faults, text string) error
	text     func(f *Faults) string // in the form that set reads
}

const (
	apiErrors    = "api_errors" // a name that has errcodes behind it: api_errors.45009
	maxAPIErrors = 100
	maxDelay     = time.Minute
	maxClock     = 10 * 365 * 24 * time.Hour
	noFaults     = "none"
)

// faultOptions are all faults but api_errors.
var faultOptions = []faultOption{
	{"seed", false, func(f *Faults, text string) (err error) {
		if f.Seed, err = strconv.ParseUint(text, 10, 53); err != nil { // what a JSON number holds everywhere
			return errors.New("it must be an integer from 0 to 9007199254740991")
		}
		return nil
	}, func(f *Faults) string { return strconv.FormatUint(f.Seed, 10) }},
	rateOption("lose", func(f *Faults) *float64 { return &f.Lose }),
	rateOption("lose_answer", func(f *Faults) *float64 { return &f.LoseAnswer }),
	durationOption("delay", 0, maxDelay, func(f *Faults) *time.Duration { return &f.Delay }),
	rateOption("cut", func(f *Faults) *float64 { return &f.Cut }),
	rateOption("retry_early", func(f *Faults) *float64 { return &f.RetryEarly }),
	durationOption("retry_after", 0, sender.Patience, func(f *Faults) *time.Duration { return &f.RetryAfter }),
	rateOption("twice", func(f *Faults) *float64 { return &f.Twice }),
	rateOption("same_signature", func(f *Faults) *float64 { return &f.SameSignature }),
	rateOption("wrong_signature", func(f *Faults) *float64 { return &f.WrongSignature }),
	durationOption("clock", -maxClock, maxClock, func(f *Faults) *time.Duration { return &f.Clock }),
	rateOption("duplicate", func(f *Faults) *float64 { return &f.Duplicate }),
	rateOption("out_of_order", func(f *Faults) *float64 { return &f.OutOfOrder }),
	rateOption("control_characters", func(f *Faults) *float64 { return &f.ControlCharacters }),
	rateOption("broken_cdata", func(f *Faults) *float64 { return &f.BrokenCDATA }),
	rateOption("unknown_type", func(f *Faults) *float64 { return &f.UnknownType }),
	durationOption("api_delay", 0, maxDelay, func(f *Faults) *time.Duration { return &f.APIDelay }),
	rateOption("api_half", func(f *Faults) *float64 { return &f.APIHalf }),
	rateOption("api_html", func(f *Faults) *float64 { return &f.APIHTML }),
	rateOption("api_reset", func(f *Faults) *float64 { return &f.APIReset }),
}

func rateOption(name string, of func(*Faults) *float64) faultOption {
	return faultOption{
		name: name,
		set: func(f *Faults, text string) (err error) {
			*of(f), err = parseRate(text)
			return err
		},
		text: func(f *Faults) string { return formatRate(*of(f)) },
	}
}

func durationOption(name string, least, most time.Duration, of func(*Faults) *time.Duration) faultOption {
	return faultOption{
		name: name, isString: true,
		set: func(f *Faults, text string) error {
			d, err := time.ParseDuration(text)
			if err != nil || d < least || d > most {
				return fmt.Errorf("it must be a duration from %v to %v, such as 300ms", least, most)
			}
			*of(f) = d
			return nil
		},
		text: func(f *Faults) string { return of(f).String() },
	}
}

func parseRate(text string) (float64, error) {
	r, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(r) || r < 0 || r > 1 {
		return 0, errors.New("it must be a rate from 0 to 1")
	}
	return r, nil
}

func formatRate(r float64) string { return strconv.FormatFloat(r, 'g', -1, 64) }

func findOption(name string) *faultOption {
	if i := slices.IndexFunc(faultOptions, func(k faultOption) bool { return k.name == name }); i >= 0 {
		return &faultOptions[i]
	}
	return nil
}

// FaultNames returns the names of all faults, as flags and JSON have them.
func FaultNames() []string {
	var names []string
	for _, k := range faultOptions {
		if k.name == "api_delay" { // the first behind it
			names = append(names, apiErrors)
		}
		names = append(names, k.name)
	}
	return names
}
