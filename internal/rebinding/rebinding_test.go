package rebinding

import "testing"

func TestForeignHost(t *testing.T) {
	for _, host := range []string{"", "127.0.0.1:8001", "192.168.1.2", "[::1]:8001", "[fe80::1]", "[fe80::1%25lo]:8001", "localhost:8001", "LOCALHOST",
		"wechat.localhost:8001", "gateway:8001", "gateway.", "devbox"} {
		if ForeignHost(host) {
			t.Errorf("%q is foreign", host)
		}
	}
	for _, host := range []string{"evil.test:8001", "evil.test", "EVIL.test", "evil.test.:8001", "localhost.evil.test", "127.0.0.1.evil.test", "1.2.3.4.5",
		"xlocalhost.test", "evil.test:80:80", "user@evil.test"} {
		if !ForeignHost(host) {
			t.Errorf("%q is not foreign", host)
		}
	}
}
