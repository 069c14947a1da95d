// Command tandem joins a contact centre to a CRM; "tandem --help" lists what it does.
package main

import (
	"context"
	"os"

	"github.com/tandemcc/tandem/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
