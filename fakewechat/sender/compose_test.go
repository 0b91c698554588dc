package sender

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "gh_0a1b2c3d4e5f"

var at = time.Unix(1767225600, 0)

func compose(t *testing.T, kind string, args ...string) []byte {
	t.Helper()
	b, err := Compose(account, User, at, kind, args...)
	if err != nil {
		t.Fatalf("Compose(%q, %q): %v", kind, args, err)
	}
	return b
}

func sample(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../internal/wechat/testdata/samples", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestComposeText(t *testing.T) {
	got := compose(t, "text", "hello 世界 & <b> 😀")
	id := regexp.MustCompile(`<MsgId>(\d{17,19})</MsgId>`)
	want := strings.ReplaceAll(strings.TrimSpace(string(sample(t, "inbound/msg.text.xml"))), "oGateway0000000000000000001", User)
	want = id.ReplaceAllString(want, "<MsgId/>")
	if diff := cmp.Diff(want, id.ReplaceAllString(string(got), "<MsgId/>")); diff != "" {
		t.Errorf("not WeChat's layout (-want +got):\n%s", diff)
	}
	if bytes.Equal(got, compose(t, "text", "hello 世界 & <b> 😀")) {
		t.Error("two messages have one MsgId")
	}
}

// TestComposeLayout compares the elements with those of recorded callbacks.
func TestComposeLayout(t *testing.T) {
	for _, test := range []struct {
		sample, kind string
		args         []string
	}{
		{"msg.image", "image", nil},
		{"msg.voice", "voice", nil},
		{"msg.voice.recognition_legacy", "voice", []string{"今天天气怎么样"}},
		{"msg.video", "video", nil},
		{"msg.shortvideo", "shortvideo", nil},
		{"msg.location", "location", []string{"31.230416", "121.473701", "上海市黄浦区人民大道200号"}},
		{"msg.link", "link", nil},
		{"event.subscribe", "event", []string{"subscribe"}},
		{"event.subscribe.qrscene", "event", []string{"Subscribe", "campaign-42"}},
		{"event.unsubscribe", "event", []string{"UNSUBSCRIBE"}},
		{"event.SCAN", "event", []string{"scan", "campaign-42"}},
		{"event.LOCATION", "event", []string{"location"}},
		{"event.CLICK", "event", []string{"click", "V1_HELP"}},
		{"event.VIEW", "event", []string{"view", "https://example.com/menu?x=1&y=2"}},
	} {
		t.Run(test.sample, func(t *testing.T) {
			// MediaId, PicUrl and Ticket are each platform's own.
			own := regexp.MustCompile(`(Media\w*|PicUrl|MsgId|Ticket|FromUserName)=.*`)
			want := own.ReplaceAllString(flat(t, sample(t, "inbound/"+test.sample+".xml")), "$1")
			got := own.ReplaceAllString(flat(t, compose(t, test.kind, test.args...)), "$1")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// flat lists a callback's elements, one name=text a line.
func flat(t *testing.T, doc []byte) string {
	t.Helper()
	var x struct {
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(doc, &x); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range x.Children {
		b.WriteString(c.XMLName.Local + "=" + c.Text + "\n")
	}
	return b.String()
}

func TestComposeValues(t *testing.T) {
	for _, test := range []struct {
		name, want string
		kind       string
		args       []string
	}{
		{"empty text", "<Content><![CDATA[]]></Content>", "text", []string{""}},
		{"a kind in capitals", "<MsgType><![CDATA[text]]></MsgType>", "TEXT", []string{"a"}},
		{"CDATA end is split", "<Content><![CDATA[a]]]]><![CDATA[></Content><x>]]></Content>", "text", []string{"a]]></Content><x>"}},
		{"control characters pass", "<Content><![CDATA[a\x08b]]></Content>", "text", []string{"a\x08b"}},
		{"coordinates stay as given", "<Location_X>23.10</Location_X>\n<Location_Y>-113.30</Location_Y>\n", "location", []string{"23.10", "-113.30"}},
		{"picture", "<PicUrl><![CDATA[http://p/?a&b]]></PicUrl>", "image", []string{"http://p/?a&b"}},
		{"link", "<Title><![CDATA[T]]></Title>\n<Description><![CDATA[D]]></Description>\n<Url><![CDATA[U]]></Url>\n", "link", []string{"U", "T", "D"}},
		{"subscribe by QR code", "<EventKey><![CDATA[qrscene_7]]></EventKey>\n<Ticket>", "event", []string{"subscribe", "7"}},
		{"LOCATION", "<Latitude>-1.5</Latitude>\n<Longitude>2</Longitude>\n", "event", []string{"LOCATION", "-1.5", "2"}},
		{"unknown event", "<Event><![CDATA[Future_Event]]></Event>\n<EventKey><![CDATA[k]]></EventKey>\n</xml>", "event", []string{"Future_Event", "k"}},
		{"unknown event without key", "<EventKey><![CDATA[]]></EventKey>\n</xml>", "event", []string{"Future_Event"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(compose(t, test.kind, test.args...)); !strings.Contains(got, test.want) {
				t.Errorf("got\n%s\nwithout\n%s", got, test.want)
			}
		})
	}
}

func TestComposeErrors(t *testing.T) {
	const kinds = "kinds: text, image, voice, video, shortvideo, location, link, event"
	for _, test := range []struct {
		kind string
		args []string
		want string
	}{
		{"text", nil, "text: 0 arguments do not fit; usage: text CONTENT; " + kinds},
		{"text", []string{"a", "b"}, "text: 2 arguments do not fit; put an argument that has blanks in quotes; usage: text CONTENT; " + kinds},
		{"video", []string{"a"}, "video: 1 arguments do not fit; usage: video; " + kinds},
		{"location", []string{"1"}, "location: 1 arguments do not fit; usage: location X Y [LABEL]; " + kinds},
		{"location", []string{"91", "0"}, "location: the latitude is not a decimal number from -90 to 90; usage: location X Y [LABEL]; " + kinds},
		{"location", []string{"0", "1e2"}, "location: the longitude is not a decimal number from -180 to 180; usage: location X Y [LABEL]; " + kinds},
		{"location", []string{"NaN", "1"}, "location: the latitude is not a decimal number from -90 to 90; usage: location X Y [LABEL]; " + kinds},
		{"sticker", nil, `unknown kind "sticker"; ` + kinds},
		{"event", nil, "event: the name is missing; usage: event NAME [KEY]; " + kinds},
		{"event", []string{"scan"}, "event SCAN: 0 arguments do not fit; usage: event SCAN KEY; " + kinds},
		{"event", []string{"unsubscribe", "x"}, "event unsubscribe: 1 arguments do not fit; usage: event unsubscribe; " + kinds},
		{"event", []string{"LOCATION", "1"}, "event LOCATION: a latitude needs its longitude; usage: event LOCATION [LAT LON]; " + kinds},
		{"event", []string{"future", "a", "b"}, "event future: 2 arguments do not fit; put an argument that has blanks in quotes; usage: event future [KEY]; " + kinds},
	} {
		t.Run(test.want, func(t *testing.T) {
			got, err := Compose(account, User, at, test.kind, test.args...)
			if got != nil || err == nil || err.Error() != test.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	want := `text CONTENT
image [PIC_URL]
voice [RECOGNITION]
video
shortvideo
location X Y [LABEL]
link [URL [TITLE [DESCRIPTION]]]
event subscribe [KEY]
event unsubscribe
event SCAN KEY
event LOCATION [LAT LON]
event CLICK KEY
event VIEW URL
event NAME [KEY]
`
	if diff := cmp.Diff(want, Kinds()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSplitArguments(t *testing.T) {
	for _, test := range []struct {
		kind, text string
		want       []string
	}{
		{"text", "", []string{""}},
		{"text", " a b ", []string{" a b "}},
		{"voice", "a b", []string{"a b"}},
		{"image", " ", nil},
		{"video", "", nil},
		{"video", "x", []string{"x"}},
		{"location", "1  2 a  b", []string{"1", "2", "a  b"}},
		{"link", "u", []string{"u"}},
		{"event", "CLICK k", []string{"CLICK", "k"}},
		{"event", "LOCATION 1 2", []string{"LOCATION", "1", "2"}},
	} {
		if diff := cmp.Diff(test.want, SplitArguments(test.kind, test.text)); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", test.kind, test.text, diff)
		}
	}
}
