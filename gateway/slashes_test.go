package gateway

import "testing"

// TestFindingsSlashesTooMany: a callback URL with slashes too many is answered like the one without, and not redirected.
func TestFindingsSlashesTooMany(t *testing.T) {
	f := start(t, nil)
	encrypt := own.seal(textXML(testText))
	verify := own.query(now())
	verify.Set("echostr", "e")
	for right, paths := range map[string][]string{
		"/":             {"/", "//", "///"},
		"/wechat/plain": {"/wechat/plain", "/wechat/plain/", "/wechat/plain//", "//wechat/plain", "/wechat//plain/"},
		"/wechat/safe":  {"/wechat/safe", "/wechat/safe/", "//wechat///safe//"},
	} {
		account, post := "plain", callback{"", own.query(now()).Encode(), textXML(testText)}
		if right == "/wechat/safe" {
			account, post.query, post.body = "safe", own.sealedQuery(now(), encrypt).Encode(), safeBody(encrypt)
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) {
				before := len(f.bot.heard())
				f.do(t, "GET", f.public+path+"?"+verify.Encode(), nil).expect(t, 200, "e")
				post.path = path
				f.post(t, post).expect(t, 200, "success")
				heard := f.bot.heard()[before:]
				if len(heard) != 1 || heard[0].GetAccount() != account {
					t.Errorf("the replier was asked about %v, want account %s", heard, account)
				}
			})
		}
	}
	for _, path := range []string{"/wechat/", "/wechat", "/wechat/none/", "/wechat/plain/x", "/x/"} {
		if got := f.do(t, "GET", f.public+path+"?"+verify.Encode(), nil); got.Status != 404 {
			t.Errorf("%s: %d, want 404", path, got.Status)
		}
	}
	for _, line := range f.lines(t, "http") {
		if line["path"] == "//wechat///safe//" && line["status"] == 200.0 {
			return
		}
	}
	t.Error("the log does not have the path as it came")
}
