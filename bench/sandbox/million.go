package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

// million makes an org of a million contacts, or takes the one that is kept, and asks it what a contact centre asks.
func million(ctx context.Context, o *options, out io.Writer) error {
	dir := o.dir
	if dir == "" {
		temp, err := os.MkdirTemp("", "tandem-bench-org-*")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temp) }() // a temporary folder
		dir = temp
	}
	if _, err := os.Stat(filepath.Join(dir, "salesforce.db")); err != nil {
		org, err := start(ctx, o.bin, dir, "1m")
		if err != nil {
			return err
		}
		_, peak := org.memory()
		if err := org.stop(); err != nil {
			return err
		}
		info, err := os.Stat(filepath.Join(dir, "salesforce.db"))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "1m: 1,000,000 contacts, 200,000 accounts and 500,000 cases made in %.0f s; the file has %.2f GB; at most %d MB of memory\n",
			org.took.Seconds(), float64(info.Size())/1e9, peak); err != nil {
			return err
		}
	}
	org, err := start(ctx, o.bin, dir, "1m")
	if err != nil {
		return err
	}
	c, err := signIn(ctx, org.url(), org.login())
	if err == nil {
		err = questions(ctx, o, c, out)
	}
	now, peak := org.memory()
	_, printed := fmt.Fprintf(out, "1m: an existing org is ready after %d ms; after these queries it takes %d MB, at most %d MB\n", org.took.Milliseconds(), now, peak)
	return joined(err, printed, org.stop())
}

// questions sends one request at a time, each for another record.
func questions(ctx context.Context, o *options, c *client, out io.Writer) error {
	known, err := contacts(ctx, c)
	if err != nil {
		return err
	}
	query := func(text func(k contact) string) func(ctx context.Context, n int) error {
		return func(ctx context.Context, n int) error {
			_, err := c.query(ctx, text(known[n%len(known)]))
			return err
		}
	}
	for _, q := range []struct {
		name string
		fn   func(ctx context.Context, n int) error
	}{
		{"Id", query(func(k contact) string { return "SELECT Id, Name, Email FROM Contact WHERE Id = '" + k.ID + "'" })},
		{"Email =", query(func(k contact) string { return "SELECT Id, Name FROM Contact WHERE Email = '" + k.Email + "'" })},
		{"Phone_E164__c =", query(func(k contact) string {
			return "SELECT Id, Name, Account.Name FROM Contact WHERE Phone_E164__c = '" + k.E164 + "' LIMIT 20"
		})},
		{"Case of a contact, newest first", query(func(k contact) string {
			return "SELECT Id, CaseNumber, Status FROM Case WHERE ContactId = '" + k.ID + "' AND IsClosed = false ORDER BY CreatedDate DESC LIMIT 5"
		})},
		{"SystemModstamp of an hour", query(func(k contact) string {
			return "SELECT Id, SystemModstamp FROM Contact WHERE SystemModstamp >= " + k.Stamp.UTC().Format(time.RFC3339) + " AND SystemModstamp < " +
				k.Stamp.UTC().Add(time.Hour).Format(time.RFC3339) + " ORDER BY SystemModstamp, Id LIMIT 200"
		})},
		{"SOSL in phone fields", func(ctx context.Context, n int) error {
			k := known[n%len(known)]
			_, err := c.json(ctx, http.MethodGet, "/search?q="+url.QueryEscape("FIND {"+k.E164[len(k.E164)-9:]+"} IN PHONE FIELDS RETURNING Contact(Id, Name), Account(Id, Name) LIMIT 20"), "")
			return err
		}},
		{"Phone LIKE '%abc%def%ghij'", query(func(k contact) string {
			d := "0000000000" + k.E164
			d = d[len(d)-10:]
			return "SELECT Id, Name FROM Contact WHERE Phone LIKE '%" + d[:3] + "%" + d[3:6] + "%" + d[6:] + "' LIMIT 20"
		})},
		{"Name LIKE 'abc%'", query(func(k contact) string {
			name := []rune(k.Name)
			return "SELECT Id, Name FROM Contact WHERE Name LIKE '" + soql.Like(string(name[:min(3, len(name))])) + "%' LIMIT 20"
		})},
	} {
		if _, err := fmt.Fprintf(out, "1m: %s: %s\n", q.name, load(ctx, 1, o.length/2, q.fn)); err != nil {
			return err
		}
	}
	return nil
}

// contact is what the questions are about.
type contact struct {
	ID    string `json:"Id"`
	Name  string
	Email string
	E164  string `json:"Phone_E164__c"`
	When  string `json:"SystemModstamp"`
	Stamp time.Time
}

// contacts picks some of all ages.
func contacts(ctx context.Context, c *client) ([]contact, error) {
	var all []contact
	for i := range 100 {
		raw, err := c.query(ctx, fmt.Sprintf("SELECT Id, Name, Email, Phone_E164__c, SystemModstamp FROM Contact WHERE Email = 'contact%d@customers.example'", 1+i*9973))
		if err != nil {
			return nil, err
		}
		var page struct {
			Records []contact `json:"records"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, err
		}
		for _, k := range page.Records {
			if k.Stamp, err = time.Parse("2006-01-02T15:04:05.000-0700", k.When); err != nil {
				return nil, err
			}
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the org has none of the sample contacts")
	}
	return all, nil
}
