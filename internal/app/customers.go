package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/crm"
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

// customers looks callers up in the tenant's Salesforce org.
type customers struct {
	conns   *connectors
	numbers numbers
	name    string // of the connector; the first salesforce one when empty
}

// minSearch is how many digits a number needs before it is looked for: shorter ones match half the org.
const minSearch = 7

// Find implements voice.Customers.
func (c *customers) Find(ctx context.Context, tenant, number string) contact.Customer {
	out := contact.Customer{Status: "off", Accounts: []contact.Record{}, Contacts: []contact.Record{}, Cases: []contact.Record{}}
	id, err := c.connector(ctx, tenant)
	if err != nil || id == "" {
		return out
	}
	if crm.Withheld(number) || len(crm.Digits(number)) < minSearch {
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

// fill adds the contacts and accounts with the number, and their open cases.
func (c *customers) fill(ctx context.Context, cl *client, number string, out *contact.Customer) error {
	region := cl.spec.Region
	if region == "" {
		region = c.numbers.region
	}
	found, err := cl.org.LookUp(ctx, salesforce.Lookup{Number: number, Region: region, Field: cl.spec.PhoneField})
	if err != nil {
		return err
	}
	// Who only might have the number counts when nobody surely has it.
	if slices.ContainsFunc(found, func(m salesforce.Match) bool { return m.Sure }) {
		found = slices.DeleteFunc(found, func(m salesforce.Match) bool { return !m.Sure })
	}
	var contactIDs, accountIDs []string
	for _, m := range found {
		account := m.ID()
		if m.Object == "Contact" {
			contactIDs = append(contactIDs, m.ID())
			account = m.Text("AccountId")
			out.Contacts = append(out.Contacts, cl.record(m.Record, "Contact", m.Text("Email"), field(m.Record, "Phone", "Phone"), field(m.Record, "Mobile", "MobilePhone")))
		}
		if account != "" && !slices.Contains(accountIDs, account) {
			accountIDs = append(accountIDs, account)
		}
	}
	switch {
	case len(contactIDs)+len(accountIDs) == 0:
		out.Status, out.Message = "none", "Nobody with this number in the CRM"
		return nil
	case len(contactIDs) > 1:
		out.Status, out.Message = "ambiguous", "Several contacts have this number"
	case len(contactIDs) == 0 && len(accountIDs) > 1:
		out.Status, out.Message = "ambiguous", "Several accounts have this number"
	default:
		out.Status = "found"
	}
	if err := c.accounts(ctx, cl, accountIDs, out); err != nil {
		return err
	}
	if len(contactIDs) == 0 { // only an account has the number: its cases may be what the call is about
		return c.cases(ctx, cl, "AccountId", accountIDs, out)
	}
	return c.cases(ctx, cl, "ContactId", contactIDs, out)
}

func (c *customers) accounts(ctx context.Context, cl *client, ids []string, out *contact.Customer) error {
	if len(ids) == 0 {
		return nil
	}
	q := soql.Build("Account").Select("Id", "Name", "Phone", "Industry").In("Id", ids...).OrderBy("Name", false).Limit(20)
	return each(ctx, cl, q, func(r salesforce.Record) {
		out.Accounts = append(out.Accounts, cl.record(r, "Account", r.Text("Industry"), field(r, "Phone", "Phone")))
	})
}

// cases adds the open cases whose field owner is one of the ids, the newest first.
func (c *customers) cases(ctx context.Context, cl *client, owner string, ids []string, out *contact.Customer) error {
	q := soql.Build("Case").Select("Id", "CaseNumber", "Subject", "Status", "Priority").
		Where("IsClosed", "=", false).In(owner, ids...).OrderBy("CreatedDate", true).Limit(20)
	return each(ctx, cl, q, func(r salesforce.Record) {
		rec := cl.record(r, "Case", r.Text("Subject"), field(r, "Status", "Status"), field(r, "Priority", "Priority"))
		rec.Title = r.Text("CaseNumber")
		out.Cases = append(out.Cases, rec)
	})
}

// each runs a query and hands its records on.
func each(ctx context.Context, cl *client, b *soql.Builder, f func(salesforce.Record)) error {
	q, err := b.Text()
	if err != nil {
		return errs.Wrap(errs.Internal, err, "building a query")
	}
	for r, err := range cl.org.Query(ctx, salesforce.Query{Text: q}) {
		if err != nil {
			return err
		}
		f(r)
	}
	return nil
}

func field(r salesforce.Record, label, name string) contact.Field {
	return contact.Field{Label: label, Value: r.Text(name)}
}

func (cl *client) record(r salesforce.Record, object, subtitle string, fields ...contact.Field) contact.Record {
	return contact.Record{
		ID: r.ID(), Type: object, Title: r.Text("Name"), Subtitle: subtitle, Fields: fields,
		URL: strings.TrimSuffix(cl.base, "/") + "/lightning/r/" + object + "/" + r.ID() + "/view",
	}
}
