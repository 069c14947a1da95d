// Package script tests the command line as its users meet it: each *.txtar runs commands of the real program, and looks at what they
// print and how they end.
package script

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // the driver

	"github.com/tandemcc/tandem/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tandem": func() {
			os.Exit(cli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// limit is how long all scripts may take.
const limit = 3 * time.Minute

func TestScripts(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs("../../examples/flows")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: ".", RequireExplicitExec: true, RequireUniqueNames: true, Deadline: time.Now().Add(limit),
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"ready": ready, "sqlite": statement, "contains": contains, "topic": topic},
	})
}

// ready DIR waits for DIR/ready.json and sets HTTP, SANDBOX, SIP, TOKEN, NUMBER and PASSWORD_{login}.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready DIR")
	}
	var r struct {
		HTTP, Sandbox, SIP, Number string
		Token                      string `json:"api_token"`
		Users                      []struct{ Login, Password string }
	}
	name := ts.MkAbs(filepath.Join(args[0], "ready.json"))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(90 * time.Second); ; <-tick.C {
		raw, err := os.ReadFile(name)
		if err == nil && json.Unmarshal(raw, &r) == nil {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no %s: %v", name, err)
		}
	}
	ts.Setenv("HTTP", r.HTTP)
	ts.Setenv("SANDBOX", r.Sandbox)
	ts.Setenv("SIP", r.SIP)
	ts.Setenv("TOKEN", r.Token)
	ts.Setenv("NUMBER", r.Number)
	for _, u := range r.Users {
		ts.Setenv("PASSWORD_"+u.Login, u.Password)
	}
}

// statement FILE SQL changes a SQLite database behind the program's back.
func statement(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE SQL")
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: ts.MkAbs(args[0])}).EscapedPath())
	ts.Check(err)
	_, err = db.ExecContext(context.Background(), args[1])
	ts.Check(err)
	ts.Check(db.Close())
}

// contains FILE TEXT... looks for texts literally; ! contains says that none is there.
func contains(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: contains FILE TEXT...")
	}
	have := ts.ReadFile(args[0])
	for _, text := range args[1:] {
		if strings.Contains(have, text) == neg {
			ts.Fatalf("%s: %q is there: %v\n%s", args[0], text, neg, have)
		}
	}
}
