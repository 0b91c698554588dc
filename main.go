// Command wxgate is the server side of a WeChat Official Account: a gateway that speaks WeChat, a replier that runs the
// rules, a service for OAuth, and a fake WeChat to try everything with.
package main

import (
	"os"

	"wxgate/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
