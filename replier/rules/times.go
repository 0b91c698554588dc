package rules

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the image has none
)

// defaultZone is where the times of rules are, where a file does not say: WeChat's users are there.
const defaultZone = "Asia/Shanghai"

// span is a time of day on some days of the week. One that ends before it begins goes on into the next day, which
// belongs to the day on which it began.
type span struct {
	from, to int // minutes of the day; to is not in it
	days     [7]bool
	zone     *time.Location
}

// dayMinutes is a day, in minutes.
const dayMinutes = 24 * 60

func (s span) holds(t time.Time) bool {
	t = t.In(s.zone)
	today := t.Weekday()
	yesterday := (today + 6) % 7
	switch minute := t.Hour()*60 + t.Minute(); {
	case s.from < s.to:
		return s.days[today] && minute >= s.from && minute < s.to
	default:
		return s.days[today] && minute >= s.from || s.days[yesterday] && minute < s.to
	}
}

// parseClock reads a time of day, "09:30", as minutes; "24:00" is the day's end.
func parseClock(text string) (int, error) {
	var hour, minute int
	if n, err := fmt.Sscanf(text, "%2d:%2d", &hour, &minute); n != 2 || err != nil || fmt.Sprintf("%02d:%02d", hour, minute) != text && fmt.Sprintf("%d:%02d", hour, minute) != text ||
		hour < 0 || minute < 0 || minute > 59 || hour*60+minute > dayMinutes {
		return 0, fmt.Errorf("%q is no time of day; expected one from 00:00 to 24:00", text)
	}
	return hour*60 + minute, nil
}

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// addDays adds a day, "mon", or several, "mon-fri".
func addDays(days *[7]bool, text string) error {
	first, last, isRange := strings.Cut(strings.ToLower(text), "-")
	if !isRange {
		last = first
	}
	from, to := dayOf(first), dayOf(last)
	if from < 0 || to < 0 {
		return fmt.Errorf("%q is no day; expected mon, tue, wed, thu, fri, sat, sun or a range such as mon-fri", text)
	}
	for day := from; ; day = (day + 1) % 7 {
		days[day] = true
		if day == to {
			return nil
		}
	}
}

func dayOf(name string) int {
	name = strings.TrimSpace(name)
	for i, day := range dayNames {
		if day == name {
			return i
		}
	}
	return -1
}
