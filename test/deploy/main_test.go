package deploy

import (
	"os"
	"testing"

	"wxgate/test/testproc"
)

func TestMain(m *testing.M) { os.Exit(testproc.Main(m)) }
