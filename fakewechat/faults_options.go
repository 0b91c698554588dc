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

// faultOption is one of the faults by its name.
type faultOption struct {
	name     string
	isString bool
	set      func(f *Faults, text string) error
	text     func(f *Faults) string // the text that set reads
}

const (
	apiErrors    = "api_errors" // followed by an errcode: api_errors.45009
	maxAPIErrors = 100
	maxDelay     = time.Minute
	maxClock     = 10 * 365 * 24 * time.Hour
	noFaults     = "none"
)

// The names of the faults, in flags, in JSON and in Attempt.Faults.
const (
	faultLose              = "lose"
	faultLoseAnswer        = "lose_answer"
	faultDelay             = "delay"
	faultCut               = "cut"
	faultRetryEarly        = "retry_early"
	faultRetryAfter        = "retry_after"
	faultTwice             = "twice"
	faultSameSignature     = "same_signature"
	faultWrongSignature    = "wrong_signature"
	faultClock             = "clock"
	faultDuplicate         = "duplicate"
	faultOutOfOrder        = "out_of_order"
	faultControlCharacters = "control_characters"
	faultBrokenCDATA       = "broken_cdata"
	faultUnknownType       = "unknown_type"
	faultAPIDelay          = "api_delay"
	faultAPIHalf           = "api_half"
	faultAPIHTML           = "api_html"
	faultAPIReset          = "api_reset"
)

// faultOptions are all faults except api_errors.
var faultOptions = []faultOption{
	{"seed", false, func(f *Faults, text string) (err error) {
		if f.Seed, err = strconv.ParseUint(text, 10, 53); err != nil { // JSON numbers are exact up to 53 bits everywhere
			return errors.New("it must be an integer from 0 to 9007199254740991")
		}
		return nil
	}, func(f *Faults) string { return strconv.FormatUint(f.Seed, 10) }},
	rateOption(faultLose, func(f *Faults) *float64 { return &f.Lose }),
	rateOption(faultLoseAnswer, func(f *Faults) *float64 { return &f.LoseAnswer }),
	durationOption(faultDelay, 0, maxDelay, func(f *Faults) *time.Duration { return &f.Delay }),
	rateOption(faultCut, func(f *Faults) *float64 { return &f.Cut }),
	rateOption(faultRetryEarly, func(f *Faults) *float64 { return &f.RetryEarly }),
	durationOption(faultRetryAfter, 0, sender.Patience, func(f *Faults) *time.Duration { return &f.RetryAfter }),
	rateOption(faultTwice, func(f *Faults) *float64 { return &f.Twice }),
	rateOption(faultSameSignature, func(f *Faults) *float64 { return &f.SameSignature }),
	rateOption(faultWrongSignature, func(f *Faults) *float64 { return &f.WrongSignature }),
	durationOption(faultClock, -maxClock, maxClock, func(f *Faults) *time.Duration { return &f.Clock }),
	rateOption(faultDuplicate, func(f *Faults) *float64 { return &f.Duplicate }),
	rateOption(faultOutOfOrder, func(f *Faults) *float64 { return &f.OutOfOrder }),
	rateOption(faultControlCharacters, func(f *Faults) *float64 { return &f.ControlCharacters }),
	rateOption(faultBrokenCDATA, func(f *Faults) *float64 { return &f.BrokenCDATA }),
	rateOption(faultUnknownType, func(f *Faults) *float64 { return &f.UnknownType }),
	durationOption(faultAPIDelay, 0, maxDelay, func(f *Faults) *time.Duration { return &f.APIDelay }),
	rateOption(faultAPIHalf, func(f *Faults) *float64 { return &f.APIHalf }),
	rateOption(faultAPIHTML, func(f *Faults) *float64 { return &f.APIHTML }),
	rateOption(faultAPIReset, func(f *Faults) *float64 { return &f.APIReset }),
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

// FaultNames returns the names of all faults in flags and in JSON.
func FaultNames() []string {
	var names []string
	for _, k := range faultOptions {
		if k.name == faultAPIDelay { // api_errors comes before it
			names = append(names, apiErrors)
		}
		names = append(names, k.name)
	}
	return names
}
