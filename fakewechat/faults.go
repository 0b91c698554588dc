package fakewechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wxgate/fakewechat/sender"
)

// Faults say how a Platform misbehaves on purpose; the zero value: not at all. A rate is from 0 (never) to 1 (always). Each
// fault is drawn from Seed and the number of the callback, or of the call among those of its path, so that two runs with the
// same seed and the same order of messages are alike.
type Faults struct {
	Seed uint64 // 0: one is chosen

	// Of callbacks. The first eight are drawn for each attempt.
	Lose           float64       // the callback never reaches the gateway
	LoseAnswer     float64       // the gateway's answer never reaches WeChat
	Delay          time.Duration // the callback arrives late, and WeChat's 5 s include the delay
	Cut            float64       // the connection is cut in the middle of the answer
	RetryEarly     float64       // WeChat ends an attempt after RetryAfter, not after 5 s
	RetryAfter     time.Duration // 0: 1 s
	Twice          float64       // the callback is sent twice at once
	SameSignature  float64       // a retry has timestamp, nonce and signature of the first attempt
	WrongSignature float64       // the signature is made with another token
	Clock          time.Duration // how far WeChat's clock is ahead; negative: late

	// The next are drawn for a callback and all its attempts.
	Duplicate         float64 // it is sent again after its answer
	OutOfOrder        float64 // it is held until the user's next callback was sent, at most 5 s
	ControlCharacters float64 // its text contains one
	BrokenCDATA       float64 // the CDATA of its texts ends too early, or not at all
	UnknownType       float64 // its MsgType, or its Event, is unknown to all

	// Of API calls.
	APIErrors map[int]float64 // errcodes and their rates, together at most 1
	APIDelay  time.Duration   // the call is done at once, and the answer is late
	APIHalf   float64         // the call is done, and half of the answer arrives
	APIHTML   float64         // the call is not done: status 502 and a page
	APIReset  float64         // the call is not done: the connection is reset
}

// ParseFaults reads faults as String writes them: names and values, such as lose=0.1,delay=2s,seed=7. An empty text means no
// faults. The error lists all errors, one per line.
func ParseFaults(text string) (Faults, error) {
	var r faultsReader
	if text == "" || text == noFaults {
		return r.faults, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found {
			r.addProblem(name, errors.New("it has no value; write it as lose=0.1"))
			continue
		}
		r.readOption(name, value)
	}
	return r.checkedFaults()
}

// UnmarshalJSON reads the object that MarshalJSON writes; missing faults are as in the zero value.
func (f *Faults) UnmarshalJSON(raw []byte) error {
	var r faultsReader
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || all == nil {
		return errors.New(`faults must be a JSON object, such as {"lose": 0.1, "delay": "2s", "seed": 7}`)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var errcodes map[string]json.RawMessage
		switch {
		case name != apiErrors:
			r.readJSON(name, all[name])
		case json.Unmarshal(all[name], &errcodes) != nil:
			r.addProblem(name, errors.New(`it must be an object of errcodes and their rates, such as {"45009": 0.1}`))
		default:
			for _, errcode := range slices.Sorted(maps.Keys(errcodes)) {
				r.readJSON(apiErrors+"."+errcode, errcodes[errcode])
			}
		}
	}
	var err error
	*f, err = r.checkedFaults()
	return err
}

// faultsReader collects faults and the errors in them.
type faultsReader struct {
	faults  Faults
	seen    map[string]bool
	unknown []string
	errs    []error
}

// maxProblems is how many problems an error lists.
const maxProblems = 20

func (r *faultsReader) addProblem(name string, err error) {
	if len(r.errs) < maxProblems {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", strconv.Quote(sender.Clip(name, 40)), err))
	}
}

func (r *faultsReader) readJSON(name string, raw json.RawMessage) {
	text := string(raw)
	k := findOption(name)
	if k != nil && k.isString {
		if json.Unmarshal(raw, &text) != nil {
			r.addProblem(name, errors.New("it must be a string"))
			return
		}
	}
	r.readOption(name, text)
}

func (r *faultsReader) readOption(name, text string) {
	if r.seen[name] {
		r.addProblem(name, errors.New("it occurs twice"))
		return
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[name] = true
	k := findOption(name)
	errcode, isErrcode := strings.CutPrefix(name, apiErrors+".")
	var err error
	switch {
	case k != nil:
		err = k.set(&r.faults, text)
	case isErrcode:
		err = r.readErrcode(errcode, text)
	default:
		r.unknown = append(r.unknown, strconv.Quote(sender.Clip(name, 40)))
	}
	if err != nil {
		r.addProblem(name, err)
	}
}

func (r *faultsReader) readErrcode(name, text string) error {
	errcode, err := strconv.ParseInt(name, 10, 32)
	if err != nil || errcode == 0 || strconv.FormatInt(errcode, 10) != name {
		return errors.New("an errcode is an integer and not 0")
	}
	rate, err := parseRate(text)
	switch {
	case err != nil:
		return err
	case len(r.faults.APIErrors) == maxAPIErrors:
		return fmt.Errorf("there may be %d errcodes", maxAPIErrors)
	case r.faults.APIErrors == nil:
		r.faults.APIErrors = map[int]float64{}
	}
	if rate > 0 {
		r.faults.APIErrors[int(errcode)] = rate
	}
	return nil
}

func (r *faultsReader) checkedFaults() (Faults, error) {
	sum := 0.0
	for _, errcode := range slices.Sorted(maps.Keys(r.faults.APIErrors)) {
		sum += r.faults.APIErrors[errcode]
	}
	if sum > 1+1e-9 { // ten times 0.1 is not 1
		r.addProblem(apiErrors, errors.New("its rates must not be more than 1 together"))
	}
	if n := len(r.unknown); n > 0 {
		r.errs = append(r.errs, fmt.Errorf("unknown: %s; there are %s",
			strings.Join(r.unknown[:min(n, maxProblems)], ", "), strings.Join(FaultNames(), ", ")))
	}
	if len(r.errs) > 0 {
		return Faults{}, errors.Join(r.errs...)
	}
	if len(r.faults.APIErrors) == 0 {
		r.faults.APIErrors = nil
	}
	return r.faults, nil
}

// String returns a text for ParseFaults: all values that are not zero, or "none".
func (f Faults) String() string {
	var parts []string
	for _, k := range faultOptions {
		if text := k.text(&f); text != k.text(&Faults{}) {
			parts = append(parts, k.name+"="+text)
		}
	}
	for _, errcode := range slices.Sorted(maps.Keys(f.APIErrors)) {
		parts = append(parts, fmt.Sprintf("%s.%d=%s", apiErrors, errcode, formatRate(f.APIErrors[errcode])))
	}
	if len(parts) == 0 {
		return noFaults
	}
	return strings.Join(parts, ",")
}

// MarshalJSON returns an object with all faults.
func (f Faults) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for _, k := range faultOptions {
		text := k.text(&f)
		if k.isString {
			text = strconv.Quote(text)
		}
		fmt.Fprintf(&b, "%q:%s,", k.name, text)
	}
	errcodes := f.APIErrors
	if errcodes == nil {
		errcodes = map[int]float64{}
	}
	raw, err := json.Marshal(errcodes)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "{%s%q:%s}", b.Bytes(), apiErrors, raw), nil
}

// isQuiet reports whether no fault is on; a seed alone does nothing.
func (f Faults) isQuiet() bool {
	f.Seed, f.RetryAfter = 0, 0
	return f.String() == noFaults
}
