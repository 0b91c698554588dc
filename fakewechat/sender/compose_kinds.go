package sender

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// kindUsage is a kind of message, or an event, that Compose knows.
type kindUsage struct {
	name, args  string
	min, max    int // number of arguments
	writeFields func(x *xmlWriter, args []string) error
}

// usageLine returns a line such as "event subscribe [KEY]".
func (f *kindUsage) usageLine(prefix string) string {
	return strings.TrimRight(prefix+f.name+" "+f.args, " ")
}

const fakeTicket = "gQFakeTicket01"

// messageKinds are all kinds but event, in the layout of WeChat.
var messageKinds = []kindUsage{
	{"text", "CONTENT", 1, 1, func(x *xmlWriter, args []string) error {
		x.writeText("Content", args[0])
		x.writeMsgID()
		return nil
	}},
	{"image", "[PIC_URL]", 0, 1, func(x *xmlWriter, args []string) error {
		x.writeText("PicUrl", argumentOr(args, 0, "http://mmbiz.qpic.cn/mmbiz_jpg/fake/0"))
		x.writeText("MediaId", "fakeImageMediaId_01")
		x.writeMsgID()
		return nil
	}},
	{"voice", "[RECOGNITION]", 0, 1, func(x *xmlWriter, args []string) error {
		x.writeText("MediaId", "fakeVoiceMediaId_01")
		x.writeText("Format", "amr")
		if len(args) > 0 { // as before 2023, when WeChat still recognised speech
			x.writeText("Recognition", args[0])
			x.writeMsgID()
			return nil
		}
		x.writeMsgID()
		x.writeText("MediaId16K", "fakeVoiceMediaId16K_01")
		return nil
	}},
	{"video", "", 0, 0, writeVideo},
	{"shortvideo", "", 0, 0, writeVideo},
	{"location", "X Y [LABEL]", 2, 3, func(x *xmlWriter, args []string) error {
		if err := checkCoordinates(args); err != nil {
			return err
		}
		x.writeNumber("Location_X", args[0])
		x.writeNumber("Location_Y", args[1])
		x.writeNumber("Scale", "16")
		x.writeText("Label", argumentOr(args, 2, ""))
		x.writeMsgID()
		return nil
	}},
	{"link", "[URL [TITLE [DESCRIPTION]]]", 0, 3, func(x *xmlWriter, args []string) error {
		x.writeText("Title", argumentOr(args, 1, "示例标题"))
		x.writeText("Description", argumentOr(args, 2, "示例描述"))
		x.writeText("Url", argumentOr(args, 0, "https://example.com/a?b=1&c=2"))
		x.writeMsgID()
		return nil
	}},
}

// eventKinds are the events with known fields. Other events get an EventKey alone.
var eventKinds = []kindUsage{
	{"subscribe", "[KEY]", 0, 1, func(x *xmlWriter, args []string) error {
		if len(args) == 0 {
			x.writeText("EventKey", "")
			return nil
		}
		x.writeText("EventKey", "qrscene_"+args[0])
		x.writeText("Ticket", fakeTicket)
		return nil
	}},
	{"unsubscribe", "", 0, 0, func(x *xmlWriter, _ []string) error {
		x.writeText("EventKey", "")
		return nil
	}},
	{"SCAN", "KEY", 1, 1, func(x *xmlWriter, args []string) error {
		x.writeText("EventKey", args[0])
		x.writeText("Ticket", fakeTicket)
		return nil
	}},
	{"LOCATION", "[LAT LON]", 0, 2, func(x *xmlWriter, args []string) error {
		if len(args) == 0 {
			args = []string{"31.230416", "121.473701"}
		}
		if err := checkCoordinates(args); err != nil {
			return err
		}
		x.writeNumber("Latitude", args[0])
		x.writeNumber("Longitude", args[1])
		x.writeNumber("Precision", "65.000000")
		return nil
	}},
	{"CLICK", "KEY", 1, 1, writeKey},
	{"VIEW", "URL", 1, 1, func(x *xmlWriter, args []string) error {
		x.writeText("EventKey", args[0])
		x.writeNumber("MenuId", "430000001")
		return nil
	}},
}

// argumentOr returns the argument at i, or a default if there are fewer.
func argumentOr(args []string, i int, otherwise string) string {
	if i < len(args) {
		return args[i]
	}
	return otherwise
}

func writeVideo(x *xmlWriter, _ []string) error {
	x.writeText("MediaId", "fakeVideoMediaId_01")
	x.writeText("ThumbMediaId", "fakeThumbMediaId_01")
	x.writeMsgID()
	return nil
}

func writeKey(x *xmlWriter, args []string) error {
	x.writeText("EventKey", argumentOr(args, 0, ""))
	return nil
}

// checkCoordinates checks a latitude and a longitude, which are written into the XML as they are.
func checkCoordinates(args []string) error {
	if len(args) < 2 {
		return errors.New("a latitude needs its longitude")
	}
	for i, part := range []struct {
		name  string
		limit float64
	}{{"latitude", 90}, {"longitude", 180}} {
		f, err := strconv.ParseFloat(args[i], 64)
		if err != nil || strings.Trim(args[i], "-.0123456789") != "" || f < -part.limit || f > part.limit {
			return fmt.Errorf("the %s is not a decimal number from -%v to %v", part.name, part.limit, part.limit)
		}
	}
	return nil
}
