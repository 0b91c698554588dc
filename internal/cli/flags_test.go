package cli

import "testing"

// TestFindingsSizesThatOverflow: a size that would overflow, or is none, is rejected with what is expected.
func TestFindingsSizesThatOverflow(t *testing.T) {
	for text, want := range map[string]int{
		"1": 1 << 20, "256": 256 << 20, "1048576": 1 << 40,
		"0": 0, "-1": 0, "1048577": 0, "99999999999999": 0, "99999999999999999999": 0, "": 0, "256MB": 0,
	} {
		var size mebibytes
		if err := size.UnmarshalText([]byte(text)); (err == nil) != (want > 0) || size.bytes() != want {
			t.Errorf("%q is %d bytes, %v; want %d", text, size.bytes(), err, want)
		}
	}
}
