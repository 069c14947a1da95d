package clients

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	gosf "github.com/k-capehart/go-salesforce/v3"

	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
)

type account struct {
	ID       string `json:"Id,omitempty" csv:"Id,omitempty" mapstructure:"Id" soql:"selectColumn,fieldName=Id"`
	Name     string `json:"Name,omitempty" csv:"Name"       mapstructure:"Name"`
	Industry string `json:"Industry,omitempty" csv:"Industry" mapstructure:"Industry"`
	Ext      string `json:"Ext__c,omitempty" csv:"Ext__c"   mapstructure:"Ext__c"`
}

// keyPair returns a private key and the public key an org checks its signatures by, both in PEM form.
func keyPair(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func logVersion(t *testing.T, path string) {
	t.Helper()
	if info, found := debug.ReadBuildInfo(); found {
		for _, d := range info.Deps {
			if d.Path == path {
				t.Logf("version %s %s", d.Path, d.Version)
			}
		}
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func want(t *testing.T, ok bool, what string, got ...any) {
	t.Helper()
	if !ok {
		t.Errorf("wanted %s, got %v", what, got)
	}
}

// goClient is go-salesforce and what its steps hand on.
type goClient struct {
	*gosf.Salesforce
	info orgInfo
	one  string   // the record made singly
	many []string // those made by a collection
	job  string   // of the bulk insert
}

// TestGoSalesforce first takes the 15 steps that the client's users begin with, then the rest of its methods.
func TestGoSalesforce(t *testing.T) {
	t.Parallel()
	logVersion(t, "github.com/k-capehart/go-salesforce/v3")
	private, public := keyPair(t)
	org, info := startOrg(t, salesforce.Options{PublicKeys: []string{public}})
	c := &goClient{info: info}
	goLogins(t, c, private)
	goRecords(t, c)
	goCollections(t, c)
	goBulk(t, c)
	goMore(t, c)
	goMoreBulk(t, c)
	goMoreFiles(t, c)
	t.Run("session renewed", func(t *testing.T) {
		old := c.GetAccessToken()
		org.ExpireSessions(t.Context())
		want(t, len(c.accounts(t, "Name = 'Acme Bank'")) == 1 && c.GetAccessToken() != old, "an answer in a new session")
	})
}

func goLogins(t *testing.T, c *goClient, private string) {
	login := func(name string, flow gosf.AuthFlowType, creds gosf.Creds) {
		t.Run(name, func(t *testing.T) {
			creds.Domain = c.info.URL
			sf := must(gosf.Init(creds))(t)
			var users []struct{ Username string }
			err := sf.Query("SELECT Username FROM User WHERE Username = '"+c.info.Username+"'", &users)
			want(t, err == nil && len(users) == 1 && sf.GetAuthFlow() == flow && sf.GetInstanceUrl() == c.info.URL, "a session", users, err)
			if c.Salesforce == nil {
				c.Salesforce = sf
			}
		})
	}
	login("password", gosf.AuthFlowUsernamePassword, gosf.Creds{
		Username: c.info.Username, Password: c.info.Password, SecurityToken: c.info.SecurityToken, ConsumerKey: c.info.ClientID, ConsumerSecret: c.info.ClientSecret,
	})
	login("client credentials", gosf.AuthFlowClientCredentials, gosf.Creds{ConsumerKey: c.info.ClientID, ConsumerSecret: c.info.ClientSecret})
	login("JWT bearer", gosf.AuthFlowJWT, gosf.Creds{Username: c.info.Username, ConsumerKey: c.info.ClientID, ConsumerRSAPem: private})
	if c.Salesforce == nil {
		t.FailNow()
	}
	t.Run("a wrong access token is refused", func(t *testing.T) {
		_, err := gosf.Init(gosf.Creds{Domain: c.info.URL, AccessToken: "00Dx!y"})
		want(t, err != nil && strings.Contains(err.Error(), "invalid session"), "a refusal", err)
	})
}

// accounts returns those a condition holds for, by name.
func (c *goClient) accounts(t *testing.T, where string) []account {
	t.Helper()
	var list []account
	if err := c.Query("SELECT Id, Name, Industry, Ext__c FROM Account WHERE "+where+" ORDER BY Name", &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func (c *goClient) names(t *testing.T, where string) string {
	t.Helper()
	var names []string
	for _, a := range c.accounts(t, where) {
		names = append(names, a.Name)
	}
	return strings.Join(names, ",")
}

func goRecords(t *testing.T, c *goClient) {
	t.Run("query over pages", func(t *testing.T) {
		type contact struct {
			ID      string `mapstructure:"Id"`
			Name    string
			Account struct{ Name string }
		}
		var all []contact
		err := c.Query("SELECT Id, Name, Account.Name, (SELECT Id FROM Cases) FROM Contact ORDER BY Id", &all)
		want(t, err == nil && len(all) == 1000 && all[0].Name != "" && all[999].Account.Name != "", "1000 contacts with their accounts", len(all), err)
		all = slices.CompactFunc(all, func(a, b contact) bool { return a.ID == b.ID })
		want(t, len(all) == 1000, "each once", len(all))
	})
	t.Run("insert", func(t *testing.T) {
		res, err := c.InsertOne("Account", account{Name: "Go A"})
		want(t, err == nil && res.Success && len(res.Id) == 18 && c.names(t, "Id = '"+res.Id+"'") == "Go A", "the record", res, err)
		c.one = res.Id
	})
	t.Run("update", func(t *testing.T) {
		err := c.UpdateOne("Account", account{ID: c.one, Name: "Go B"})
		want(t, err == nil && c.names(t, "Id = '"+c.one+"'") == "Go B", "the change", err)
	})
	t.Run("upsert", func(t *testing.T) {
		made, err := c.UpsertOne("Account", "Ext__c", account{Name: "Go C", Ext: "k"})
		want(t, err == nil && made.Success, "a creation", made, err)
		changed, err := c.UpsertOne("Account", "Ext__c", account{Name: "Go D", Ext: "k"})
		want(t, err == nil && changed.Id == made.Id && c.names(t, "Ext__c = 'k'") == "Go D", "a change of the same record", changed, err)
	})
}

// ids checks that all succeeded, and returns the ids.
func ids(t *testing.T, n int) func(gosf.SalesforceResults, error) []string {
	return func(res gosf.SalesforceResults, err error) []string {
		t.Helper()
		var out []string
		for _, r := range res.Results {
			want(t, r.Success && len(r.Errors) == 0, "success", r)
			out = append(out, r.Id)
		}
		want(t, err == nil && len(out) == n && !res.HasSalesforceErrors, "successes", res, err)
		return out
	}
}

func goCollections(t *testing.T, c *goClient) {
	t.Run("insert a collection", func(t *testing.T) {
		c.many = ids(t, 2)(c.InsertCollection("Account", []account{{Name: "Set A"}, {Name: "Set B"}}, 200))
		want(t, c.names(t, "Name LIKE 'Set%'") == "Set A,Set B", "both records")
	})
	t.Run("insert by composite", func(t *testing.T) {
		ids(t, 2)(c.InsertComposite("Account", []account{{Name: "Part A"}, {Name: "Part B"}}, 200, true))
		want(t, c.names(t, "Name LIKE 'Part%'") == "Part A,Part B", "both records")
	})
	t.Run("delete", func(t *testing.T) {
		want(t, c.DeleteOne("Account", account{ID: c.one}) == nil && c.names(t, "Id = '"+c.one+"'") == "", "no record")
	})
	t.Run("delete a collection", func(t *testing.T) {
		ids(t, 2)(c.DeleteCollection("Account", []account{{ID: c.many[0]}, {ID: c.many[1]}}, 200))
		want(t, c.names(t, "Name LIKE 'Set%'") == "", "no record")
	})
}

// done waits for nothing: it checks that a bulk call made one job, and returns its results.
func (c *goClient) done(t *testing.T, jobs []string, err error) gosf.BulkJobResults {
	t.Helper()
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs: %v", len(jobs), err)
	}
	c.job = jobs[0]
	return must(c.GetJobResults(jobs[0]))(t)
}

func goBulk(t *testing.T, c *goClient) {
	t.Run("bulk insert", func(t *testing.T) {
		jobs, err := c.InsertBulk("Account", []account{{Name: "Bulk A"}, {Name: "Bulk B", Industry: "Energy"}, {Ext: "nameless"}}, 1000, true)
		c.done(t, jobs, err)
		want(t, c.names(t, "Name LIKE 'Bulk%'") == "Bulk A,Bulk B", "two records")
	})
	t.Run("bulk results", func(t *testing.T) {
		res := must(c.GetJobResults(c.job))(t)
		if res.State != "JobComplete" || res.NumberRecordsFailed != 1 || len(res.SuccessfulRecords) != 2 || len(res.FailedRecords) != 1 {
			t.Fatalf("two of three, not %v", res)
		}
		want(t, res.SuccessfulRecords[0]["Name"] == "Bulk A" && res.SuccessfulRecords[0]["sf__Created"] == "true", "the record", res.SuccessfulRecords)
		failed := res.FailedRecords[0]
		want(t, failed["Ext__c"] == "nameless" && failed["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "why", failed)
	})
	t.Run("bulk export", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "out.csv")
		err := c.QueryBulkExport("SELECT Name, Owner.Name FROM Account WHERE Name LIKE 'Bulk%' ORDER BY Name", file)
		want(t, err == nil, "success", err)
		want(t, text(t, file) == "Name Owner.Name|Bulk A Ada Admin|Bulk B Ada Admin", "two records", text(t, file))
	})
}

// text reads a CSV file: values separated by spaces, records by bars.
func text(t *testing.T, file string) string {
	t.Helper()
	raw := must(os.ReadFile(file))(t)
	var lines []string
	for _, row := range must(csv.NewReader(strings.NewReader(string(raw))).ReadAll())(t) {
		lines = append(lines, strings.Join(row, " "))
	}
	return strings.Join(lines, "|")
}

func goMore(t *testing.T, c *goClient) {
	t.Run("access token", func(t *testing.T) {
		sf := must(gosf.Init(gosf.Creds{Domain: c.info.URL, AccessToken: c.GetAccessToken()}, gosf.WithAPIVersion("v50.0")))(t)
		var list []account
		err := sf.Query("SELECT Id FROM Account WHERE Name = 'Acme Bank'", &list)
		want(t, err == nil && len(list) == 1 && sf.GetAPIVersion() == "v50.0", "a session of another version", list, err)
	})
	t.Run("compressed", func(t *testing.T) {
		sf := must(gosf.Init(gosf.Creds{Domain: c.info.URL, AccessToken: c.GetAccessToken()}, gosf.WithCompressionHeaders(true)))(t)
		res, err := sf.InsertOne("Account", account{Name: strings.Repeat("Small ", 30)})
		want(t, err == nil && res.Success && c.names(t, "Id = '"+res.Id+"'") == strings.TrimSpace(strings.Repeat("Small ", 30)), "the record", res, err)
	})
	t.Run("query of a struct", func(t *testing.T) {
		type criteria struct {
			Name []string `soql:"inOperator,fieldName=Name"`
		}
		var list []account
		err := c.QueryStruct(struct {
			Select account  `soql:"selectClause,tableName=Account"`
			Where  criteria `soql:"whereClause"`
		}{Where: criteria{Name: []string{"Acme Bank", "O'Hara"}}}, &list)
		want(t, err == nil && len(list) == 1 && strings.HasPrefix(list[0].ID, "001"), "one account", list, err)
	})
	t.Run("any request", func(t *testing.T) {
		res, err := c.DoRequest(http.MethodGet, "/query?q=SELECT+Id+FROM+Contact", nil, gosf.WithHeader("Sforce-Query-Options", "batchSize=200"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var page struct {
			Records []json.RawMessage
			Next    string `json:"nextRecordsUrl"`
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		want(t, err == nil && len(page.Records) == 200 && strings.HasSuffix(page.Next, "-200"), "a page of 200", len(page.Records), page.Next, err)
	})
	t.Run("a second delete is refused", func(t *testing.T) {
		err := c.DeleteOne("Account", account{ID: c.one})
		want(t, err != nil && strings.Contains(err.Error(), "ENTITY_IS_DELETED"), "a refusal", err)
	})
	for name, call := range map[string]struct {
		insert, update, upsert func([]account) (gosf.SalesforceResults, error)
		remove                 func([]account) (gosf.SalesforceResults, error)
	}{
		"collection": {
			insert: func(a []account) (gosf.SalesforceResults, error) { return c.InsertCollection("Account", a, 200) },
			update: func(a []account) (gosf.SalesforceResults, error) { return c.UpdateCollection("Account", a, 200) },
			upsert: func(a []account) (gosf.SalesforceResults, error) {
				return c.UpsertCollection("Account", "Ext__c", a, 200)
			},
			remove: func(a []account) (gosf.SalesforceResults, error) { return c.DeleteCollection("Account", a, 1) },
		},
		"composite": {
			insert: func(a []account) (gosf.SalesforceResults, error) { return c.InsertComposite("Account", a, 1, true) },
			update: func(a []account) (gosf.SalesforceResults, error) { return c.UpdateComposite("Account", a, 200, true) },
			upsert: func(a []account) (gosf.SalesforceResults, error) {
				return c.UpsertComposite("Account", "Ext__c", a, 200, false)
			},
			remove: func(a []account) (gosf.SalesforceResults, error) { return c.DeleteComposite("Account", a, 200, true) },
		},
	} {
		t.Run("changes by "+name, func(t *testing.T) {
			made := ids(t, 2)(call.insert([]account{{Name: name + " A", Ext: name + "1"}, {Name: name + " B"}}))
			ids(t, 1)(call.update([]account{{ID: made[1], Name: name + " C"}}))
			same := ids(t, 2)(call.upsert([]account{{Name: name + " D", Ext: name + "1"}, {Name: name + " E", Ext: name + "2"}}))
			want(t, same[0] == made[0] && c.names(t, "Name LIKE '"+name+"%'") == name+" C,"+name+" D,"+name+" E", "three records", c.names(t, "Name LIKE '"+name+"%'"))
			ids(t, 2)(call.remove([]account{{ID: made[0]}, {ID: made[1]}}))
			want(t, c.names(t, "Name LIKE '"+name+"%'") == name+" E", "one record")
		})
	}
	t.Run("one wrong record of a collection is refused", func(t *testing.T) {
		res, err := c.InsertCollection("Account", []account{{Name: "Fine"}, {Industry: "Energy"}}, 200)
		want(t, err == nil && res.HasSalesforceErrors && res.Results[0].Success && !res.Results[1].Success &&
			res.Results[1].Errors[0].StatusCode == "REQUIRED_FIELD_MISSING", "the second alone", res, err)
	})
	t.Run("one wrong record undoes a composite", func(t *testing.T) {
		res, err := c.InsertComposite("Account", []account{{Name: "Undone"}, {Industry: "Energy"}}, 200, true)
		want(t, (err != nil || res.HasSalesforceErrors) && c.names(t, "Name = 'Undone'") == "", "no record", res, err)
	})
}

func goMoreBulk(t *testing.T, c *goClient) {
	t.Run("bulk update", func(t *testing.T) {
		list := c.accounts(t, "Name LIKE 'Bulk%'")
		for i := range list {
			list[i].Industry, list[i].Name = "Banking", list[i].Name+" +"
		}
		jobs, err := c.UpdateBulk("Account", list, 1000, true)
		want(t, len(c.done(t, jobs, err).SuccessfulRecords) == 2 && c.names(t, "Industry = 'Banking' AND Name LIKE 'Bulk%'") == "Bulk A +,Bulk B +", "two changes")
	})
	t.Run("bulk upsert", func(t *testing.T) {
		jobs, err := c.UpsertBulk("Account", "Ext__c", []account{{Name: "Bulk C", Ext: "k"}, {Name: "Bulk D", Ext: "bulk-d"}}, 1000, true)
		res := c.done(t, jobs, err)
		created := []any{}
		for _, r := range res.SuccessfulRecords {
			created = append(created, r["sf__Created"])
		}
		want(t, len(created) == 2 && created[0] == "false" && created[1] == "true", "a change and a creation", res)
	})
	t.Run("bulk delete", func(t *testing.T) {
		jobs, err := c.DeleteBulk("Account", []map[string]any{{"Id": c.accounts(t, "Name = 'Bulk D'")[0].ID}}, 1000, true)
		want(t, len(c.done(t, jobs, err).SuccessfulRecords) == 1 && c.names(t, "Name = 'Bulk D'") == "", "no record")
	})
	t.Run("bulk in several jobs", func(t *testing.T) {
		many := make([]map[string]any, 5)
		for i := range many {
			many[i] = map[string]any{"Name": "Job"}
		}
		jobs, err := c.InsertBulk("Account", many, 2, true)
		want(t, err == nil && len(jobs) == 3 && len(c.accounts(t, "Name = 'Job'")) == 5, "three jobs", jobs, err)
	})
	t.Run("bulk query by pages", func(t *testing.T) {
		it := must(c.QueryBulkIterator("SELECT Id, Name FROM Contact"))(t)
		n := 0
		for it.Next() {
			var page []account
			if err := it.Decode(&page); err != nil {
				t.Fatal(err)
			}
			n += len(page)
		}
		want(t, it.Error() == nil && n == 1000, "1000 contacts", n, it.Error())
	})
	t.Run("bulk export of a struct", func(t *testing.T) {
		type criteria struct {
			Name string `soql:"equalsOperator,fieldName=Name"`
		}
		file := filepath.Join(t.TempDir(), "out.csv")
		err := c.QueryStructBulkExport(struct {
			Select account  `soql:"selectClause,tableName=Account"`
			Where  criteria `soql:"whereClause"`
		}{Where: criteria{Name: "Acme Bank"}}, file)
		want(t, err == nil && strings.HasPrefix(text(t, file), "Id|001"), "one record", err)
	})
}

func goMoreFiles(t *testing.T, c *goClient) {
	file := func(t *testing.T, rows string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "in.csv")
		if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	subjects := func(t *testing.T, where string) (found []string, id string) {
		t.Helper()
		res, err := c.DoRequest(http.MethodGet, "/query?q=SELECT+Id,+Subject+FROM+Case+WHERE+"+where+"+ORDER+BY+Subject", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var answer struct {
			Records []struct{ ID, Subject string }
		}
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		for _, r := range answer.Records {
			found, id = append(found, r.Subject), r.ID
		}
		return found, id
	}
	t.Run("bulk insert of a file", func(t *testing.T) {
		jobs, err := c.InsertBulkFile("Case", file(t, "Subject,Origin\n\"Line, one\nand two\",Phone\n"), 1000, true)
		got, _ := subjects(t, "Subject+LIKE+'Line%25'")
		want(t, len(c.done(t, jobs, err).SuccessfulRecords) == 1 && len(got) == 1 && got[0] == "Line, one\nand two", "the text", got)
	})
	t.Run("bulk update of a file", func(t *testing.T) {
		_, id := subjects(t, "Subject+LIKE+'Line%25'")
		jobs, err := c.UpdateBulkFile("Case", file(t, "Id,Subject\n"+id+",File B\n"), 1000, true)
		got, same := subjects(t, "Subject+LIKE+'File%25'")
		want(t, len(c.done(t, jobs, err).SuccessfulRecords) == 1 && len(got) == 1 && same == id, "the change", got)
	})
	t.Run("bulk upsert of a file", func(t *testing.T) {
		jobs, err := c.UpsertBulkFile("Case", "Ext__c", file(t, "Subject,Ext__c\nFile C,case-c\n"), 1000, true)
		got, _ := subjects(t, "Ext__c='case-c'")
		want(t, len(c.done(t, jobs, err).SuccessfulRecords) == 1 && len(got) == 1, "the record", got)
	})
	t.Run("bulk delete of a file", func(t *testing.T) {
		_, id := subjects(t, "Ext__c='case-c'")
		jobs, err := c.DeleteBulkFile("Case", file(t, "Id\n"+id+"\n"), 1000, true)
		got, _ := subjects(t, "Ext__c='case-c'")
		want(t, len(c.done(t, jobs, err).SuccessfulRecords) == 1 && len(got) == 0, "no record", got)
	})
}
