package app

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/soql"
)

// numbers normalises telephone numbers with the region of numbers typed without a country code.
type numbers struct{ region string }

// E164 implements voice.Numbers.
func (n numbers) E164(number string) string {
	parsed, err := phonenumbers.Parse(number, n.region)
	if err != nil || !phonenumbers.IsPossibleNumber(parsed) {
		return number
	}
	return phonenumbers.Format(parsed, phonenumbers.E164)
}

// national returns the digits people type within the country, for a search in free text.
func (n numbers) national(number string) string {
	parsed, err := phonenumbers.Parse(number, n.region)
	if err != nil || !phonenumbers.IsPossibleNumber(parsed) {
		return digits(number)
	}
	return phonenumbers.GetNationalSignificantNumber(parsed)
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// customers looks callers up in the tenant's Salesforce org.
type customers struct {
	conns   *connectors
	numbers numbers
	name    string // of the connector; the first salesforce one when empty
}

const apiVersion = "v68.0"

// minSearch is how many digits a number needs before it is looked for: shorter ones match half the org.
const minSearch = 7

// Find implements voice.Customers.
func (c *customers) Find(ctx context.Context, tenant, number string) contact.Customer {
	out := contact.Customer{Status: "off", Accounts: []contact.Record{}, Contacts: []contact.Record{}, Cases: []contact.Record{}}
	id, err := c.connector(ctx, tenant)
	if err != nil || id == "" {
		return out
	}
	if len(digits(number)) < minSearch {
		out.Status, out.Message = "none", "The caller's number is withheld or too short to look up"
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cl, err := c.conns.get(ctx, tenant, id, "")
	if err == nil {
		err = c.fill(ctx, cl, number, &out)
	}
	if err != nil {
		out.Status, out.Message = "error", errs.Message(err)
	}
	return out
}

func (c *customers) connector(ctx context.Context, tenant string) (string, error) {
	list, err := c.conns.objects.List(ctx, tenant)
	if err != nil {
		return "", err
	}
	for _, o := range list {
		if o.Spec.Type == "salesforce" && (c.name == "" || strings.EqualFold(o.Name, c.name)) {
			return o.ID, nil
		}
	}
	return "", nil
}

// record is the part of an sObject that the desk shows; the platform's field names differ from ours in case only, which
// encoding/json does not mind.
type record struct {
	Attributes struct {
		Type string `json:"type"`
	} `json:"attributes"`
	ID, Name, Phone, MobilePhone, HomePhone, OtherPhone, Email, AccountID string
	Industry, CaseNumber, Subject, Status, Priority, ContactID            string
	IsClosed                                                              bool
}

// fill searches contacts and accounts by number, keeps those whose number is the same in E.164 form, and adds their open cases.
func (c *customers) fill(ctx context.Context, cl *client, number string, out *contact.Customer) error {
	find := "FIND {" + soql.Term(c.numbers.national(number)) + "} IN PHONE FIELDS RETURNING " +
		"Contact(Id, Name, Phone, MobilePhone, HomePhone, OtherPhone, Email, AccountId), Account(Id, Name, Phone, Industry) LIMIT 50"
	var found struct {
		SearchRecords []record `json:"searchRecords"`
	}
	if err := get(ctx, cl, "/search", find, &found); err != nil {
		return err
	}
	want := c.numbers.E164(number)
	found.SearchRecords = slices.DeleteFunc(found.SearchRecords, func(r record) bool { return !c.same(r, want) })
	var contactIDs, accountIDs []string
	for _, r := range found.SearchRecords {
		switch r.Attributes.Type {
		case "Contact":
			contactIDs = append(contactIDs, r.ID)
			if r.AccountID != "" && !slices.Contains(accountIDs, r.AccountID) {
				accountIDs = append(accountIDs, r.AccountID)
			}
			out.Contacts = append(out.Contacts, cl.record(r, r.Email, contact.Field{Label: "Phone", Value: r.Phone}, contact.Field{Label: "Mobile", Value: r.MobilePhone}))
		case "Account":
			if !slices.Contains(accountIDs, r.ID) {
				accountIDs = append(accountIDs, r.ID)
			}
		}
	}
	switch {
	case len(contactIDs)+len(accountIDs) == 0:
		out.Status, out.Message = "none", "Nobody with this number in the CRM"
		return nil
	case len(contactIDs) > 1:
		out.Status, out.Message = "ambiguous", "Several contacts have this number"
	default:
		out.Status = "found"
	}
	if err := c.accounts(ctx, cl, accountIDs, out); err != nil {
		return err
	}
	return c.cases(ctx, cl, contactIDs, out)
}

func (c *customers) same(r record, want string) bool {
	for _, p := range []string{r.Phone, r.MobilePhone, r.HomePhone, r.OtherPhone} {
		if p != "" && c.numbers.E164(p) == want {
			return true
		}
	}
	return false
}

func (c *customers) accounts(ctx context.Context, cl *client, ids []string, out *contact.Customer) error {
	if len(ids) == 0 {
		return nil
	}
	var rows struct{ Records []record }
	q := "SELECT Id, Name, Phone, Industry FROM Account WHERE Id IN " + list(ids) + " ORDER BY Name LIMIT 20"
	if err := get(ctx, cl, "/query", q, &rows); err != nil {
		return err
	}
	for _, r := range rows.Records {
		out.Accounts = append(out.Accounts, cl.record(r, r.Industry, contact.Field{Label: "Phone", Value: r.Phone}))
	}
	return nil
}

func (c *customers) cases(ctx context.Context, cl *client, contactIDs []string, out *contact.Customer) error {
	if len(contactIDs) == 0 {
		return nil
	}
	var rows struct{ Records []record }
	q := "SELECT Id, CaseNumber, Subject, Status, Priority, ContactId, IsClosed FROM Case WHERE IsClosed = false AND ContactId IN " +
		list(contactIDs) + " ORDER BY CreatedDate DESC LIMIT 20"
	if err := get(ctx, cl, "/query", q, &rows); err != nil {
		return err
	}
	for _, r := range rows.Records {
		r.Name = r.CaseNumber
		rec := cl.record(r, r.Subject, contact.Field{Label: "Status", Value: r.Status}, contact.Field{Label: "Priority", Value: r.Priority})
		rec.Type = "Case"
		out.Cases = append(out.Cases, rec)
	}
	return nil
}

// list writes ids as a SOQL list of escaped strings.
func list(ids []string) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = soql.String(id)
	}
	return "(" + strings.Join(quoted, ", ") + ")"
}

func get(ctx context.Context, cl *client, path, q string, into any) error {
	res, err := cl.org.Do(ctx, salesforce.Request{
		Path: "/services/data/" + apiVersion + path, Query: url.Values{"q": {q}},
	})
	if err != nil {
		return err
	}
	if err := res.Err(); err != nil {
		return err
	}
	if err := json.Unmarshal(res.Body, into); err != nil {
		return errs.Wrap(errs.Unavailable, err, "the CRM's answer cannot be read")
	}
	return nil
}

func (cl *client) record(r record, subtitle string, fields ...contact.Field) contact.Record {
	return contact.Record{
		ID: r.ID, Type: r.Attributes.Type, Title: r.Name, Subtitle: subtitle, Fields: fields,
		URL: strings.TrimSuffix(cl.base, "/") + "/lightning/r/" + r.Attributes.Type + "/" + r.ID + "/view",
	}
}
