package clients

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	gosf "github.com/k-capehart/go-salesforce/v3"

	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
)

type account struct {
	ID   string `json:"Id,omitempty" csv:"Id,omitempty" mapstructure:"Id" soql:"selectColumn,fieldName=Id"`
	Name string `json:"Name,omitempty" csv:"Name"       mapstructure:"Name"`
	Ext  string `json:"Ext__c,omitempty" csv:"Ext__c"   mapstructure:"Ext__c"`
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

func TestGoSalesforce(t *testing.T) {
	logVersion(t, "github.com/k-capehart/go-salesforce/v3")
	private, public := keyPair(t)
	_, info := startOrg(t, salesforce.Options{PublicKeys: []string{public}})
	creds := gosf.Creds{
		Domain: info.URL, Username: info.Username, Password: info.Password, SecurityToken: info.SecurityToken,
		ConsumerKey: info.ClientID, ConsumerSecret: info.ClientSecret,
	}
	sf := must(gosf.Init(creds))(t)
	t.Run("password", func(t *testing.T) { want(t, sf.GetAccessToken() != "", "a token") })
	for name, c := range map[string]gosf.Creds{
		"client credentials": {Domain: info.URL, ConsumerKey: info.ClientID, ConsumerSecret: info.ClientSecret},
		"JWT bearer":         {Domain: info.URL, Username: info.Username, ConsumerKey: info.ClientID, ConsumerRSAPem: private},
		"access token":       {Domain: info.URL, AccessToken: sf.GetAccessToken()},
	} {
		t.Run(name, func(t *testing.T) {
			other := must(gosf.Init(c))(t)
			var users []account
			if err := other.Query("SELECT Id FROM User LIMIT 1", &users); err != nil || len(users) != 1 {
				t.Errorf("%d users, %v", len(users), err)
			}
		})
	}
	t.Run("wrong token", func(t *testing.T) {
		_, err := gosf.Init(gosf.Creds{Domain: info.URL, AccessToken: "00Dx!y"})
		want(t, err != nil && strings.Contains(err.Error(), "invalid session"), "a refusal", err)
	})
	goRecords(t, sf)
	goCollections(t, sf)
	goBulk(t, sf)
}

func want(t *testing.T, ok bool, what string, got ...any) {
	t.Helper()
	if !ok {
		t.Errorf("wanted %s, got %v", what, got)
	}
}

func goRecords(t *testing.T, sf *gosf.Salesforce) {
	t.Run("query over pages", func(t *testing.T) {
		var all []account
		err := sf.Query("SELECT Id, Name FROM Contact", &all)
		want(t, err == nil && len(all) == 1000 && all[0].Name != "", "1000 contacts", len(all), err)
	})
	var id string
	t.Run("insert", func(t *testing.T) {
		res, err := sf.InsertOne("Account", account{Name: "A"})
		want(t, err == nil && res.Success, "success", res, err)
		id = res.Id
	})
	t.Run("update", func(t *testing.T) {
		want(t, sf.UpdateOne("Account", account{ID: id, Name: "B"}) == nil, "success")
	})
	t.Run("upsert", func(t *testing.T) {
		res, err := sf.UpsertOne("Account", "Ext__c", account{Name: "C", Ext: "k"})
		want(t, err == nil && res.Success, "success", res, err)
	})
	t.Run("delete", func(t *testing.T) {
		want(t, sf.DeleteOne("Account", account{ID: id}) == nil, "success")
		err := sf.DeleteOne("Account", account{ID: id})
		want(t, err != nil && strings.Contains(err.Error(), "ENTITY_IS_DELETED"), "a refusal", err)
	})
}

func goCollections(t *testing.T, sf *gosf.Salesforce) {
	var made []account
	t.Run("insert collection", func(t *testing.T) {
		res, err := sf.InsertCollection("Account", []account{{Name: "A"}, {Name: "B"}}, 200)
		want(t, err == nil && len(res.Results) == 2 && !res.HasSalesforceErrors, "two successes", res, err)
		for _, r := range res.Results {
			made = append(made, account{ID: r.Id})
		}
	})
	t.Run("upsert collection", func(t *testing.T) {
		res, err := sf.UpsertCollection("Account", "Ext__c", []account{{Name: "D", Ext: "k"}, {Name: "E", Ext: "m"}}, 200)
		want(t, err == nil && len(res.Results) == 2 && !res.HasSalesforceErrors, "two successes", res, err)
	})
	t.Run("insert composite", func(t *testing.T) {
		res, err := sf.InsertComposite("Account", []account{{Name: "A"}, {Name: "B"}}, 200, true)
		want(t, err == nil && len(res.Results) == 2 && !res.HasSalesforceErrors, "two successes", res, err)
	})
	t.Run("delete collection", func(t *testing.T) {
		res, err := sf.DeleteCollection("Account", made, 200)
		want(t, err == nil && len(res.Results) == 2 && !res.HasSalesforceErrors, "two successes", res, err)
	})
}

func goBulk(t *testing.T, sf *gosf.Salesforce) {
	t.Run("bulk insert", func(t *testing.T) {
		jobs, err := sf.InsertBulk("Account", []account{{Name: "Bulk A"}, {Name: "Bulk B"}, {Ext: "nameless"}}, 1000, true)
		want(t, err == nil && len(jobs) == 1, "a job", jobs, err)
		res, err := sf.GetJobResults(jobs[0])
		want(t, err == nil && len(res.SuccessfulRecords) == 2 && len(res.FailedRecords) == 1, "two of three", res, err)
	})
	file := filepath.Join(t.TempDir(), "out.csv")
	t.Run("bulk export", func(t *testing.T) {
		err := sf.QueryBulkExport("SELECT Id, Name FROM Account WHERE Name LIKE 'Bulk%'", file)
		raw, readErr := os.ReadFile(file)
		want(t, err == nil && readErr == nil && strings.Count(string(raw), "Bulk") == 2, "two records", string(raw), err)
	})
	t.Run("bulk iterator", func(t *testing.T) {
		it := must(sf.QueryBulkIterator("SELECT Id, Name FROM Contact"))(t)
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
}
