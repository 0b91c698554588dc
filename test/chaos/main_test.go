package chaos

import (
	"os"
	"testing"

	"wxgate/test/testproc"
)

func TestMain(m *testing.M) {
	if node := os.Getenv(natsNodeEnv); node != "" { // this process is a NATS server of another's test
		if err := runNATSNode(node); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(testproc.Main(m))
}
