package clients

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
)

// sfCLI is the Salesforce CLI in a home of its own.
type sfCLI struct {
	org             *sandboxtest.Salesforce
	info            orgInfo
	node, run, home string
	env             []string
}

func newSF(t *testing.T, org *sandboxtest.Salesforce, info orgInfo) *sfCLI {
	t.Helper()
	dir, node := installed(t, "sf", "@salesforce/cli")
	home := t.TempDir()
	c := &sfCLI{org: org, info: info, node: node, run: filepath.Join(dir, "node_modules", "@salesforce", "cli", "bin", "run.js"), home: home}
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
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
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

// result runs a command with --json and decodes its result.
func result[T any](t *testing.T, c *sfCLI, args ...string) T {
	t.Helper()
	out, err := c.text(t, nil, append(args, "--json")...)
	var answer struct {
		Result T `json:"result"`
	}
	if err != nil || json.Unmarshal([]byte(out), &answer) != nil {
		t.Fatalf("sf %s: %v %s", strings.Join(args, " "), err, out)
	}
	return answer.Result
}

// refused runs a command that must fail, and returns what it printed.
func (c *sfCLI) refused(t *testing.T, text string, args ...string) {
	t.Helper()
	out, err := c.text(t, nil, args...)
	want(t, err != nil && strings.Contains(out, text), "the error "+text, out, err)
}

func (c *sfCLI) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(c.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// column reads one column of a CSV file the CLI wrote.
func (c *sfCLI) column(t *testing.T, file, name string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("reading %s: %v %s", file, err, raw)
	}
	var out []string
	for i, head := range rows[0] {
		for _, row := range rows[1:] {
			if head == name {
				out = append(out, row[i])
			}
		}
	}
	return out
}

// TestSalesforceCLI starts a new process for each command, which takes seconds.
func TestSalesforceCLI(t *testing.T) {
	t.Parallel()
	private, public := keyPair(t)
	org, info := startOrg(t, salesforce.Options{PublicKeys: []string{public}})
	c := newSF(t, org, info)
	version, err := c.text(t, nil, "--version")
	if err != nil {
		t.Fatalf("%v %s", err, version)
	}
	t.Logf("version %s", strings.TrimSpace(version))
	sfLogins(t, c, private)
	if t.Failed() {
		return // none of the others would find its org
	}
	sfQueries(t, c)
	sfRecords(t, c)
	sfDescribes(t, c)
	sfImports(t, c)
	sfExports(t, c)
	sfTrees(t, c)
	t.Run("logout", func(t *testing.T) {
		c.must(t, "org", "logout", "--all", "--no-prompt")
		c.refused(t, "No authorization information found", "org", "display", "--target-org", "box")
	})
}

func (c *sfCLI) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.text(t, nil, args...)
	if err != nil {
		t.Fatalf("sf %s: %v %s", strings.Join(args, " "), err, out)
	}
	return out
}

type sfAuth struct {
	Username, OrgID, InstanceURL, ClientID, Alias, OAuthMethod string
	ConnectedStatus, ProfileName, ID                           string
}

func sfLogins(t *testing.T, c *sfCLI, private string) {
	// First: when a login fails, the CLI forgets what it had of the user.
	t.Run("login by JWT with another key is refused", func(t *testing.T) {
		other, _ := keyPair(t)
		c.refused(t, "invalid assertion", "org", "login", "jwt", "--instance-url", c.info.URL, "--client-id", c.info.ClientID,
			"--username", c.info.Username, "--jwt-key-file", c.file(t, "other.pem", other))
	})
	t.Run("login by token", func(t *testing.T) {
		out, err := c.text(t, []string{"SF_ACCESS_TOKEN=" + sessionToken(t, c.info)}, "org", "login", "access-token", "--instance-url", c.info.URL, "--no-prompt", "--alias", "token")
		want(t, err == nil && strings.Contains(out, "Successfully authorized "+c.info.Username), "success", out, err)
		got := result[sfAuth](t, c, "org", "display", "--target-org", "token")
		want(t, got.Username == c.info.Username && got.ConnectedStatus == "Connected", "a connection", got)
	})
	t.Run("login in a browser", func(t *testing.T) {
		c.browser(t)
		got := result[sfAuth](t, c, "org", "login", "web", "--instance-url", c.info.URL, "--alias", "web")
		want(t, got.Username == c.info.Username && got.ClientID == "PlatformCLI", "the user, by the CLI's own app", got)
	})
	t.Run("session renewed", func(t *testing.T) {
		c.org.ExpireSessions(t.Context())
		got := result[sfAuth](t, c, "org", "display", "--target-org", "web")
		want(t, got.ConnectedStatus == "Connected", "a connection", got)
	})
	t.Run("login by JWT", func(t *testing.T) {
		got := result[sfAuth](t, c, "org", "login", "jwt", "--instance-url", c.info.URL, "--client-id", c.info.ClientID, "--username", c.info.Username,
			"--jwt-key-file", c.file(t, "key.pem", private), "--alias", "box", "--set-default")
		want(t, got.Username == c.info.Username && got.OrgID == orgID && got.ClientID == c.info.ClientID, "the user", got)
	})
	t.Run("org display", func(t *testing.T) {
		got := result[sfAuth](t, c, "org", "display", "--verbose", "--target-org", "box")
		want(t, got.ConnectedStatus == "Connected" && got.ID == orgID && got.InstanceURL == c.info.URL && got.Username == c.info.Username, "the org", got)
	})
	t.Run("org display user", func(t *testing.T) {
		got := result[sfAuth](t, c, "org", "display", "user", "--target-org", "box")
		want(t, got.ProfileName == "System Administrator" && strings.HasPrefix(got.ID, "005"), "the user", got)
	})
	t.Run("org list users", func(t *testing.T) {
		got := result[[]sfAuth](t, c, "org", "list", "users", "--target-org", "box")
		want(t, len(got) > 0 && got[0].Username == c.info.Username && got[0].ProfileName == "System Administrator", "the users with their profiles", got)
	})
	t.Run("org open", func(t *testing.T) {
		got := result[struct{ URL string }](t, c, "org", "open", "--url-only", "--path", "lightning/o/Account/list", "--target-org", "box")
		want(t, strings.HasPrefix(got.URL, c.info.URL+"/secur/frontdoor.jsp?otp="), "a way in", got)
		status, body := get(t, got.URL)
		want(t, status == http.StatusOK && strings.Contains(body, "<h1>Accounts"), "the page", status, body)
	})
}

// browser lets the CLI open a browser: a script that signs in on the page, at a port of its own.
func (c *sfCLI) browser(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c.file(t, "sfdx-project.json", `{"packageDirectories":[{"path":"force-app","default":true}],"oauthLocalPort":"`+port+`"}`)
	script, err := filepath.Abs("sf/browser.mjs")
	if err != nil {
		t.Fatal(err)
	}
	launcher := c.file(t, "browser", "#!/bin/sh\nexec '"+c.node+"' '"+script+"' \"$1\" >browser.log 2>&1 &\n")
	if err := os.Chmod(launcher, 0o700); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(c.info)
	if err != nil {
		t.Fatal(err)
	}
	c.env = append(c.env, "BROWSER="+launcher, "ORG="+string(raw))
}

type sfQuery struct {
	TotalSize int
	Done      bool
	Records   []sfRecord
}

type sfRecord struct {
	ID, Name, Phone, Industry, Subject, LastName string
	IsDeleted                                    bool
	Attributes                                   struct{ Type string }
	Owner                                        struct{ Name string }
	Account                                      struct{ Name string }
	Contacts                                     struct{ TotalSize int }
}

func sfQueries(t *testing.T, c *sfCLI) {
	const three = "SELECT Id, Name FROM Account WHERE Name LIKE 'Acme%' ORDER BY Name LIMIT 3"
	t.Run("query as JSON", func(t *testing.T) {
		got := result[sfQuery](t, c, "data", "query", "--query", "SELECT Id, Name, Owner.Name, (SELECT Id FROM Contacts) FROM Account WHERE Name = 'Acme Logistics'")
		want(t, got.TotalSize == 1 && got.Done && got.Records[0].Owner.Name == "Ada Admin" && got.Records[0].Contacts.TotalSize == 5, "a record with its parent and children", got)
	})
	t.Run("query as CSV", func(t *testing.T) {
		got := c.must(t, "data", "query", "--query", three, "--result-format", "csv")
		lines := strings.Split(strings.TrimSpace(got), "\n")
		want(t, len(lines) == 4 && lines[0] == "Id,Name" && strings.HasPrefix(lines[1], "001") && strings.HasSuffix(lines[1], ",Acme Bank"), "a header and three lines", got)
	})
	t.Run("query as a table", func(t *testing.T) {
		got := c.must(t, "data", "query", "--query", "SELECT Name, Owner.Name FROM Account WHERE Name LIKE 'Acme%' ORDER BY Name LIMIT 3")
		want(t, strings.Contains(got, "OWNER.NAME") && strings.Contains(got, "Acme Bank") && strings.Contains(got, "Ada Admin") &&
			strings.Contains(got, "Total number of records retrieved: 3"), "a table", got)
	})
	t.Run("query of groups", func(t *testing.T) {
		got := c.must(t, "data", "query", "--query", "SELECT COUNT(Id) howMany, IsClosed FROM Case GROUP BY IsClosed ORDER BY IsClosed")
		want(t, regexp.MustCompile(`(?s)HOWMANY\W+ISCLOSED.*\n\W+\d+\W+false\W+\d+\W+true\W.*retrieved: 2`).MatchString(got), "two groups", got)
	})
	t.Run("query of a count", func(t *testing.T) {
		want(t, result[sfQuery](t, c, "data", "query", "--query", "SELECT COUNT() FROM Contact").TotalSize == 1000, "1000 contacts")
	})
	t.Run("query of several pages", func(t *testing.T) {
		got := result[sfQuery](t, c, "data", "query", "--query", "SELECT Id, (SELECT Id FROM Contacts), (SELECT Id FROM Cases) FROM Account")
		want(t, got.TotalSize == 200 && len(got.Records) == 200, "all accounts", got.TotalSize, len(got.Records))
	})
	t.Run("a wrong query is refused", func(t *testing.T) {
		c.refused(t, "No such column 'Nope' on entity 'Account'", "data", "query", "--query", "SELECT Nope FROM Account")
	})
	t.Run("search", func(t *testing.T) {
		type found struct{ SearchRecords []sfRecord }
		got := result[found](t, c, "data", "search", "--query", "FIND {Acme} IN NAME FIELDS RETURNING Account(Id, Name ORDER BY Name)")
		want(t, len(got.SearchRecords) == 10 && got.SearchRecords[0].Name == "Acme Bank" && got.SearchRecords[0].Attributes.Type == "Account", "ten accounts", got)
	})
}

func sfRecords(t *testing.T, c *sfCLI) {
	var id string
	record := func(how ...string) sfRecord {
		return result[sfRecord](t, c, append([]string{"data", "get", "record", "--sobject", "Account"}, how...)...)
	}
	t.Run("create a record", func(t *testing.T) {
		made := result[struct {
			ID      string
			Success bool
		}](t, c, "data", "create", "record", "--sobject", "Account", "--values", "Name='By sf' Industry=Banking")
		want(t, made.Success && len(made.ID) == 18, "success", made)
		id = made.ID
		got := record("--record-id", id)
		want(t, got.Name == "By sf" && got.Industry == "Banking", "the record", got)
	})
	t.Run("a wrong record is refused", func(t *testing.T) {
		c.refused(t, "Required fields are missing: [LastName]", "data", "create", "record", "--sobject", "Contact", "--values", "FirstName=Jo")
	})
	t.Run("update a record", func(t *testing.T) {
		c.must(t, "data", "update", "record", "--sobject", "Account", "--where", "Name='By sf'", "--values", "Name=Changed Phone=123")
		got := record("--where", "Name='Changed'")
		want(t, got.ID == id && got.Phone == "123" && got.Industry == "Banking", "the change", got)
	})
	t.Run("delete a record", func(t *testing.T) {
		c.must(t, "data", "delete", "record", "--sobject", "Account", "--record-id", id)
		c.refused(t, "No matching record found", "data", "get", "record", "--sobject", "Account", "--where", "Name='Changed'")
		got := result[sfQuery](t, c, "data", "query", "--all-rows", "--query", "SELECT Id, IsDeleted FROM Account WHERE Name = 'Changed'")
		want(t, got.TotalSize == 1 && got.Records[0].ID == id && got.Records[0].IsDeleted, "it in the bin", got)
	})
	t.Run("any request", func(t *testing.T) {
		got := c.must(t, "api", "request", "rest", "/services/data/v66.0/sobjects/Account", "--method", "POST", "--body", `{"Name":"Raw"}`, "--include")
		want(t, strings.Contains(got, "HTTP/1.1 201") && strings.Contains(got, `"success": true`) && strings.Contains(got, "sforce-limit-info: api-usage="), "a created record", got)
	})
	t.Run("GraphQL is refused", func(t *testing.T) {
		c.refused(t, "NOT_FOUND", "api", "request", "graphql", "--body", "query { uiapi { query { Account { edges { node { Id } } } } } }")
	})
}

func sfDescribes(t *testing.T, c *sfCLI) {
	t.Run("describe", func(t *testing.T) {
		got := result[struct {
			Name, KeyPrefix string
			Fields          []struct {
				Name       string
				ExternalID bool
			}
		}](t, c, "sobject", "describe", "--sobject", "Account")
		external := map[string]bool{}
		for _, f := range got.Fields {
			external[f.Name] = f.ExternalID
		}
		want(t, got.KeyPrefix == "001" && external["Ext__c"] && !external["Name"], "the object", got)
	})
	t.Run("list of objects", func(t *testing.T) {
		got := "," + strings.Join(result[[]string](t, c, "sobject", "list", "--sobject", "all"), ",") + ","
		for _, name := range []string{"Account", "Contact", "Case", "Task", "User", "VoiceCall"} {
			want(t, strings.Contains(got, ","+name+","), name, got)
		}
	})
	t.Run("limits", func(t *testing.T) {
		type limit struct {
			Name           string
			Max, Remaining int
		}
		left := 0
		for _, l := range result[[]limit](t, c, "org", "list", "limits") {
			if l.Name == "DailyApiRequests" {
				left = l.Max - l.Remaining
			}
		}
		want(t, left > 10, "the requests of the day", left)
	})
	t.Run("record counts", func(t *testing.T) {
		type count struct {
			Name  string
			Count int
		}
		got := result[[]count](t, c, "org", "list", "sobject", "record-counts", "--sobject", "Contact", "--sobject", "Case")
		want(t, len(got) == 2 && got[0].Count+got[1].Count == 1500, "1000 contacts and 500 cases", got)
	})
}

type sfJob struct{ ProcessedRecords, SuccessfulRecords, FailedRecords int }

// bulk runs a command of the Bulk API, which is to succeed.
func (c *sfCLI) bulk(t *testing.T, verb string, args ...string) sfJob {
	t.Helper()
	return result[sfJob](t, c, append([]string{"data", verb, "bulk", "--sobject", "Account", "--wait", "1", "--line-ending", "LF"}, args...)...)
}

// named returns the names of the accounts whose name starts so, in order.
func (c *sfCLI) named(t *testing.T, prefix string) string {
	t.Helper()
	var names []string
	for _, r := range result[sfQuery](t, c, "data", "query", "--query", "SELECT Name FROM Account WHERE Name LIKE '"+prefix+"%' ORDER BY Name").Records {
		names = append(names, r.Name)
	}
	return strings.Join(names, ",")
}

func sfImports(t *testing.T, c *sfCLI) {
	t.Run("bulk import", func(t *testing.T) {
		got := c.bulk(t, "import", "--file", c.file(t, "in.csv", "Name,Ext__c\nBulk A,b1\nBulk B,b2\n"))
		want(t, got == sfJob{2, 2, 0} && c.named(t, "Bulk") == "Bulk A,Bulk B", "two records", got)
	})
	t.Run("bulk import of a wrong row", func(t *testing.T) {
		out, err := c.text(t, nil, "data", "import", "bulk", "--sobject", "Account", "--wait", "1", "--line-ending", "LF",
			"--file", c.file(t, "part.csv", "Name,Phone\nPart A,1\n,2\n"), "--json")
		var failed struct{ Data struct{ JobID string } }
		if json.Unmarshal([]byte(out), &failed) != nil || err == nil || failed.Data.JobID == "" {
			t.Fatalf("a failed job: %v %s", err, out)
		}
		c.must(t, "data", "bulk", "results", "--job-id", failed.Data.JobID)
		file := filepath.Join(c.home, failed.Data.JobID+"-failed-records.csv")
		got := c.column(t, file, "sf__Error")
		want(t, len(got) == 1 && got[0] == "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "why", got)
	})
	t.Run("bulk upsert", func(t *testing.T) {
		type upserted struct {
			JobInfo struct {
				State                                       string
				NumberRecordsProcessed, NumberRecordsFailed int
			}
		}
		file := c.file(t, "up.csv", "Name,Ext__c\nBulk C,b1\nBulk D,b3\n")
		got := result[upserted](t, c, "data", "upsert", "bulk", "--sobject", "Account", "--file", file, "--external-id", "Ext__c", "--wait", "1", "--line-ending", "LF")
		want(t, got.JobInfo.NumberRecordsProcessed == 2 && got.JobInfo.State == "JobComplete" && c.named(t, "Bulk") == "Bulk B,Bulk C,Bulk D", "one changed, one made", got)
	})
	ids := filepath.Join(c.home, "ids.csv")
	t.Run("bulk update", func(t *testing.T) {
		c.must(t, "data", "query", "--query", "SELECT Id, Name FROM Account WHERE Name LIKE 'Bulk%' ORDER BY Name", "--result-format", "csv", "--output-file", ids)
		rows := "Id,Industry\n"
		for _, id := range c.column(t, ids, "Id") {
			rows += id + ",Energy\n"
		}
		got := c.bulk(t, "update", "--file", c.file(t, "change.csv", rows))
		found := result[sfQuery](t, c, "data", "query", "--query", "SELECT Id FROM Account WHERE Name LIKE 'Bulk%' AND Industry = 'Energy'")
		want(t, got == sfJob{3, 3, 0} && found.TotalSize == 3, "three changes", got, found)
	})
	t.Run("bulk delete", func(t *testing.T) {
		rows := "Id\n" + c.column(t, ids, "Id")[0] + "\n"
		c.must(t, "data", "delete", "bulk", "--sobject", "Account", "--wait", "1", "--line-ending", "LF", "--file", c.file(t, "gone.csv", rows))
		want(t, c.named(t, "Bulk") == "Bulk C,Bulk D", "one gone", c.named(t, "Bulk"))
	})
}

func sfExports(t *testing.T, c *sfCLI) {
	const query = "SELECT Id, LastName, Account.Name FROM Contact"
	for _, format := range []string{"csv", "json"} {
		t.Run("bulk export as "+format, func(t *testing.T) {
			file := filepath.Join(c.home, "out."+format)
			got := result[struct{ TotalSize int }](t, c, "data", "export", "bulk", "--query", query, "--output-file", file, "--result-format", format, "--wait", "1")
			want(t, got.TotalSize == 1000, "all contacts", got)
			if format == "csv" {
				names := c.column(t, file, "Account.Name")
				want(t, len(names) == 1000 && names[0] != "", "1000 rows", len(names))
				return
			}
			raw, err := os.ReadFile(file)
			var rows []map[string]string
			want(t, err == nil && json.Unmarshal(raw, &rows) == nil && len(rows) == 1000 && rows[0]["Account.Name"] != "", "1000 rows", len(rows), err)
		})
	}
}

func sfTrees(t *testing.T, c *sfCLI) {
	dir := filepath.Join(c.home, "tree")
	t.Run("export a tree", func(t *testing.T) {
		c.must(t, "data", "export", "tree", "--plan", "--output-dir", dir, "--query",
			"SELECT Name, Phone, (SELECT LastName, Email FROM Contacts ORDER BY LastName) FROM Account WHERE Name IN ('Acme Bank', 'Acme Foods') ORDER BY Name")
		raw, err := os.ReadFile(filepath.Join(dir, "Contact.json"))
		want(t, err == nil && strings.Count(string(raw), `"LastName"`) == 10 && strings.Contains(string(raw), `"AccountId": "@AccountRef2"`), "ten contacts that refer to two accounts", string(raw), err)
	})
	t.Run("import a tree", func(t *testing.T) {
		type made struct{ RefID, Type, ID string }
		got := result[[]made](t, c, "data", "import", "tree", "--plan", filepath.Join(dir, "Account-Contact-plan.json"))
		want(t, len(got) == 12 && got[0].RefID == "AccountRef1" && strings.HasPrefix(got[0].ID, "001"), "twelve records", got)
		found := result[sfQuery](t, c, "data", "query", "--query", "SELECT Id, Account.Name FROM Contact WHERE AccountId = '"+got[0].ID+"'")
		want(t, found.TotalSize == 5 && found.Records[0].Account.Name == "Acme Bank", "the contacts of the account", found)
	})
	t.Run("a wrong tree is refused", func(t *testing.T) {
		file := c.file(t, "wrong.json", `{"records":[{"attributes":{"type":"Account","referenceId":"A1"},"Name":"Wrong 1"},{"attributes":{"type":"Account","referenceId":"A2"}}]}`)
		c.refused(t, "Required fields are missing: [Name]", "data", "import", "tree", "--files", file)
		want(t, c.named(t, "Wrong") == "", "none of it", strconv.Quote(c.named(t, "Wrong")))
	})
}
