package rules

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the container image has no time zones
)

// defaultZone is the time zone of a file without timezone:, that of most users of WeChat.
const defaultZone = "Asia/Shanghai"

// timeSpan is a time of day on some days of the week. A span whose end is before its start continues into the next day, and
// counts as part of the day on which it started.
type timeSpan struct {
	from, to int // minutes since midnight; to is exclusive
	days     [7]bool
	zone     *time.Location
}

// dayMinutes is the length of a day in minutes.
const dayMinutes = 24 * 60

func (s timeSpan) containsTime(t time.Time) bool {
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

// parseClock returns a time of day such as "09:30" in minutes since midnight. "24:00" is the end of the day.
func parseClock(text string) (int, error) {
	var hour, minute int
	if n, err := fmt.Sscanf(text, "%2d:%2d", &hour, &minute); n != 2 || err != nil || fmt.Sprintf("%02d:%02d", hour, minute) != text && fmt.Sprintf("%d:%02d", hour, minute) != text ||
		hour < 0 || minute < 0 || minute > 59 || hour*60+minute > dayMinutes {
		return 0, fmt.Errorf("%q is not a time of day; expected one from 00:00 to 24:00", text)
	}
	return hour*60 + minute, nil
}

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// addDays adds one day ("mon") or a range of days ("mon-fri").
func addDays(days *[7]bool, text string) error {
	first, last, isRange := strings.Cut(strings.ToLower(text), "-")
	if !isRange {
		last = first
	}
	from, to := dayOf(first), dayOf(last)
	if from < 0 || to < 0 {
		return fmt.Errorf("%q is not a day; expected mon, tue, wed, thu, fri, sat, sun or a range such as mon-fri", text)
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
