package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
)

// sfCLI is the Salesforce CLI in a home of its own.
type sfCLI struct {
	node, run, home string
	env             []string
}

func newSF(t *testing.T) *sfCLI {
	t.Helper()
	dir, node := installed(t, "sf", "@salesforce/cli")
	home := t.TempDir()
	c := &sfCLI{node: node, run: filepath.Join(dir, "node_modules", "@salesforce", "cli", "bin", "run.js"), home: home}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "HOME=") && !strings.HasPrefix(v, "SF_") && !strings.HasPrefix(v, "SFDX_") {
			c.env = append(c.env, v)
		}
	}
	c.env = append(c.env, "HOME="+home, "SF_DISABLE_TELEMETRY=true", "SF_AUTOUPDATE_DISABLE=true", "SF_SKIP_NEW_VERSION_CHECK=true",
		"SF_USE_GENERIC_UNIX_KEYCHAIN=true", "SF_ORG_API_VERSION=66.0", "NO_PROXY=127.0.0.1", "NO_COLOR=1")
	return c
}

// text runs a command and returns what it printed.
func (c *sfCLI) text(t *testing.T, extra []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.node, append([]string{c.run}, args...)...)
	cmd.Env, cmd.Dir = append(c.env, extra...), c.home
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// result runs a command with --json and returns its result, compactly written.
func (c *sfCLI) result(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.text(t, nil, append(args, "--json")...)
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	if err != nil || json.Unmarshal([]byte(out), &answer) != nil {
		t.Fatalf("sf %s: %v %s", strings.Join(args, " "), err, out)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, answer.Result); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (c *sfCLI) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(c.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSalesforceCLI starts a new process for each command, which takes seconds.
func TestSalesforceCLI(t *testing.T) {
	private, public := keyPair(t)
	org, info := startOrg(t, salesforce.Options{PublicKeys: []string{public}})
	_ = org
	c := newSF(t)
	version, err := c.text(t, nil, "--version")
	if err != nil {
		t.Fatalf("%v %s", err, version)
	}
	t.Logf("version %s", strings.TrimSpace(version))
	t.Run("login by JWT", func(t *testing.T) {
		got := c.result(t, "org", "login", "jwt", "--instance-url", info.URL, "--client-id", info.ClientID, "--username", info.Username,
			"--jwt-key-file", c.file(t, "key.pem", private), "--alias", "box", "--set-default")
		want(t, strings.Contains(got, info.Username), "the user", got)
	})
	t.Run("login by token", func(t *testing.T) {
		token := sessionToken(t, info)
		out, err := c.text(t, []string{"SF_ACCESS_TOKEN=" + token}, "org", "login", "access-token", "--instance-url", info.URL, "--no-prompt", "--alias", "token")
		want(t, err == nil, "success", out, err)
	})
	sfReads(t, c)
	sfWrites(t, c)
	sfBulk(t, c)
}

func sfReads(t *testing.T, c *sfCLI) {
	contains := func(name, text string, args ...string) {
		t.Run(name, func(t *testing.T) {
			got, err := c.text(t, nil, append(args, "--target-org", "box")...)
			want(t, err == nil && strings.Contains(got, text), text, got, err)
		})
	}
	contains("org display", "Connected", "org", "display", "--json")
	contains("query as JSON", `"totalSize": 3`, "data", "query", "--query", "SELECT Id, Name FROM Account LIMIT 3", "--json")
	contains("query as CSV", "Id,Name\n001", "data", "query", "--query", "SELECT Id, Name FROM Account LIMIT 3", "--result-format", "csv")
	contains("query as a table", "Total number of records retrieved: 3", "data", "query", "--query", "SELECT Id, Name, Owner.Name FROM Account LIMIT 3")
	contains("search", `"searchRecords"`, "data", "search", "--query", "FIND {Acme} IN NAME FIELDS RETURNING Account(Id, Name)", "--json")
	contains("describe", `"keyPrefix": "001"`, "sobject", "describe", "--sobject", "Account", "--json")
	contains("list of objects", "Contact", "sobject", "list", "--json")
	contains("limits", "DailyApiRequests", "limits", "api", "display", "--json")
	contains("users", "admin@sandbox.example", "org", "list", "users", "--json")
}

func sfWrites(t *testing.T, c *sfCLI) {
	var id string
	t.Run("create, get, update and delete a record", func(t *testing.T) {
		var made struct {
			ID string `json:"id"`
		}
		got := c.result(t, "data", "create", "record", "--sobject", "Account", "--values", "Name='By sf'", "--target-org", "box")
		if err := json.Unmarshal([]byte(got), &made); err != nil {
			t.Fatal(err)
		}
		id = made.ID
		got = c.result(t, "data", "get", "record", "--sobject", "Account", "--record-id", id, "--target-org", "box")
		want(t, strings.Contains(got, `"Name":"By sf"`), "the record", got)
		c.result(t, "data", "update", "record", "--sobject", "Account", "--record-id", id, "--values", "Name=Changed", "--target-org", "box")
		c.result(t, "data", "delete", "record", "--sobject", "Account", "--record-id", id, "--target-org", "box")
	})
	t.Run("import and export a tree", func(t *testing.T) {
		tree := c.file(t, "tree.json", `{"records":[{"attributes":{"type":"Account","referenceId":"A1"},"Name":"Tree 1"},{"attributes":{"type":"Account","referenceId":"A2"},"Name":"Tree 2"}]}`)
		got := c.result(t, "data", "import", "tree", "--files", tree, "--target-org", "box")
		want(t, strings.Contains(got, `"refId":"A1"`), "the references", got)
		c.result(t, "data", "export", "tree", "--query", "SELECT Id, Name FROM Account WHERE Name LIKE 'Tree%'", "--output-dir", c.home, "--target-org", "box")
		raw, err := os.ReadFile(filepath.Join(c.home, "Account.json"))
		want(t, err == nil && strings.Contains(string(raw), "Tree 2"), "the file", string(raw), err)
	})
}

func sfBulk(t *testing.T, c *sfCLI) {
	t.Run("bulk import", func(t *testing.T) {
		file := c.file(t, "in.csv", "Name,Ext__c\nBulk A,b1\nBulk B,b2\n")
		got := c.result(t, "data", "import", "bulk", "--file", file, "--sobject", "Account", "--wait", "1", "--line-ending", "LF", "--target-org", "box")
		want(t, strings.Contains(got, `"processedRecords":2`) && strings.Contains(got, `"failedRecords":0`), "two records", got)
	})
	t.Run("bulk upsert", func(t *testing.T) {
		file := c.file(t, "up.csv", "Name,Ext__c\nBulk C,b1\nBulk D,b3\n")
		got := c.result(t, "data", "upsert", "bulk", "--file", file, "--sobject", "Account", "--external-id", "Ext__c", "--wait", "1", "--line-ending", "LF", "--target-org", "box")
		want(t, strings.Contains(got, `"numberRecordsProcessed":2`), "two records", got)
	})
	t.Run("bulk export", func(t *testing.T) {
		out := filepath.Join(c.home, "out.csv")
		c.result(t, "data", "export", "bulk", "--query", "SELECT Id, Name FROM Account WHERE Name LIKE 'Bulk%'", "--output-file", out, "--wait", "1", "--target-org", "box")
		raw, err := os.ReadFile(out)
		want(t, err == nil && strings.Count(string(raw), "Bulk") == 3, "three records", string(raw), err)
	})
}
