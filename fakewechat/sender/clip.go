package sender

// Clip cuts a text from outside to about limit bytes, so that a single answer cannot fill the page or the memory.
func Clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 { // not inside a character
		limit--
	}
	return s[:limit] + "…"
}
