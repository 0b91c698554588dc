package wechatapi

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	oauthv1 "wxgate/proto/oauth/v1"
)

// TestFindingsGate: a body is read after its claim, which is made once, and never after its call ended.
func TestFindingsGate(t *testing.T) {
	body, err := newRequestBody(Request{Payload: "text", Claim: func() error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if read, err := body.shut(); read || err != nil {
		t.Errorf("not read: %t, %v; want false", read, err)
	}
	late, _ := body.newReader()
	if _, err := late.Read(make([]byte, 10)); !errors.Is(err, errShut) {
		t.Errorf("read after the end: %v; want errShut", err)
	}
	claims := 0
	body, _ = newRequestBody(Request{Payload: "text", Claim: func() error { claims++; return nil }})
	for range 2 { // HTTP/2 may send it again
		reader, _ := body.newReader()
		if data, err := io.ReadAll(reader); string(data) != `"text"`+"\n" || err != nil {
			t.Errorf("read %q, %v", data, err)
		}
	}
	if read, err := body.shut(); !read || err != nil || claims != 1 {
		t.Errorf("read: %t, %v, %d claims; want true and one claim", read, err, claims)
	}
}

// TestFindingsClaimFails: if the claim fails nothing is sent, and WeChat's host is not to blame.
func TestFindingsClaimFails(t *testing.T) {
	var got []string
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if data, _ := io.ReadAll(r.Body); strings.HasSuffix(string(data), "\n") { // the headers of a message that is not sent may arrive
			got = append(got, string(data))
		}
	}))
	c := newClient(t, api.URL)
	claimed := &Failure{Reason: oauthv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE}
	out := c.Do(t.Context(), Request{Call: SendMessage, Payload: "x", Claim: func() error { return claimed }})
	if out.Failure == nil || out.Failure.Reason != claimed.Reason || out.Failure.MaybeSent {
		t.Errorf("got %+v; want STORE_UNAVAILABLE, and certainly not sent", out.Failure)
	}
	api.Close()
	if len(got) > 0 {
		t.Errorf("WeChat got %q, want nothing", got)
	}
	if len(c.hosts.left) > 0 {
		t.Error("the host was left")
	}
}
