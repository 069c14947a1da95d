package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The size of the small seed.
const (
	seedAccounts = 200
	seedContacts = 1000
	seedCases    = 500
	seedSource   = 20260105 // fixed, so that every small org holds the same records
)

// seeder fills a new org in one transaction. Records go in with a prepared statement each, as values, not as API calls.
type seeder struct {
	ctx   context.Context //nolint:containedctx // lives for one transaction
	org   *Org
	tx    *sql.Tx
	rnd   *rand.Rand
	stmts map[string]*sql.Stmt
	next  map[string]int64
	admin string
	start time.Time
}

// seed makes the users and, unless the org is to be empty, the sample records, and keeps the credentials.
func (o *Org) seed(ctx context.Context) error {
	err := o.store.update(ctx, func(tx *sql.Tx) error {
		s := &seeder{
			ctx: ctx, org: o, tx: tx, rnd: newSeedSource(), stmts: map[string]*sql.Stmt{}, next: map[string]int64{},
			start: time.Date(2025, 1, 6, 9, 0, 0, 0, time.UTC),
		}
		if err := errors.Join(s.run(), s.close()); err != nil {
			return err
		}
		return setMeta(ctx, tx, "seed", orElse(o.opts.Seed, SeedSmall))
	})
	if err != nil {
		return err
	}
	// The planner chooses indexes by what it knows of the tables.
	if _, err := o.store.write.ExecContext(ctx, "PRAGMA optimize=0x10002"); err != nil {
		return fmt.Errorf("analysing the tables: %w", err)
	}
	return nil
}

func (s *seeder) run() error {
	if err := s.people(); err != nil {
		return err
	}
	if s.org.opts.Seed != SeedNone {
		if err := s.sample(); err != nil {
			return err
		}
	}
	for prefix, n := range s.next {
		if _, err := s.tx.ExecContext(s.ctx, "INSERT INTO sequence (prefix, n) VALUES (?, ?)", prefix, n); err != nil {
			return fmt.Errorf("storing a sequence: %w", err)
		}
	}
	return nil
}

func (s *seeder) close() error {
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}

func (s *seeder) stmt(key, query string) (*sql.Stmt, error) {
	if st := s.stmts[key]; st != nil {
		return st, nil
	}
	st, err := s.tx.PrepareContext(s.ctx, query)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", key, err)
	}
	s.stmts[key] = st
	return st, nil
}

// add stores a record made at a moment of the seed's own calendar.
func (s *seeder) add(entity string, at time.Time, r record) (string, error) {
	obj := s.org.schema.object(entity)
	s.next[obj.prefix]++
	n := s.next[obj.prefix]
	id := makeID(obj.prefix, n)
	r["Id"] = id
	for _, f := range obj.fields {
		if _, given := r[f.name]; !given && f.defaultTo != "" {
			r[f.name] = defaultValue(f)
		}
	}
	by := orElse(s.admin, id)
	if obj.hasOwner() && r["OwnerId"] == nil {
		r["OwnerId"] = by
	}
	number(obj, r, n)
	r["CreatedDate"], r["CreatedById"] = at.UnixMilli(), by
	touch(r, by, at.UnixMilli())
	switch entity {
	case "Contact", "User":
		r["Name"] = strings.TrimSpace(r.text("FirstName") + " " + r.text("LastName"))
	case "Case":
		s.org.deriveCase(r)
	case "Task":
		s.org.deriveTask(r)
	case "CaseComment":
		r["CreatorId"], r["CreatorName"] = by, "Ada Admin"
	}
	st, err := s.stmt(entity, insertSQL(obj)) //nolint:sqlclosecheck // close ends all of them
	if err != nil {
		return "", err
	}
	if _, err := st.ExecContext(s.ctx, insertArgs(obj, r)...); err != nil {
		return "", fmt.Errorf("seeding a %s: %w", entity, err)
	}
	return id, s.phones(obj, id, r)
}

func (s *seeder) phones(obj *object, id string, r record) error {
	st, err := s.stmt("phone", addPhoneRow.one) //nolint:sqlclosecheck // close ends all of them
	if err != nil {
		return err
	}
	for _, f := range obj.fields {
		if f.kind != typePhone || r[f.name] == nil {
			continue
		}
		for _, k := range phoneKeys(obj, r.text(f.name)) {
			if _, err := st.ExecContext(s.ctx, k.entity, k.reversed, id); err != nil {
				return fmt.Errorf("seeding a number: %w", err)
			}
		}
	}
	return nil
}

// people makes the organization, profiles, users and a queue, and keeps the secrets.
func (s *seeder) people() error {
	creds := s.org.opts.Credentials
	creds.ClientID = orElse(creds.ClientID, "3MVG9"+randomText(80))
	creds.ClientSecret = orElse(creds.ClientSecret, strings.ToUpper(randomText(64)))
	creds.Username = orElse(creds.Username, "admin@sandbox.example")
	creds.Password = orElse(creds.Password, randomText(16))
	creds.SecurityToken = orElse(creds.SecurityToken, randomText(24))
	raw, err := json.Marshal(creds) //nolint:gosec // kept so that a second start has the same ones
	if err != nil {
		return fmt.Errorf("encoding the credentials: %w", err)
	}
	if err := setMeta(s.ctx, s.tx, "credentials", string(raw)); err != nil {
		return err
	}
	s.admin = makeID("005", 1)
	if _, err := s.tx.ExecContext(s.ctx, "INSERT INTO secret (user_id, password, token) VALUES (?, ?, ?)", s.admin, creds.Password, creds.SecurityToken); err != nil {
		return fmt.Errorf("storing a secret: %w", err)
	}
	if err := setMeta(s.ctx, s.tx, "admin", s.admin); err != nil {
		return err
	}
	if _, err := s.add("Organization", s.start, record{
		"Name": "Sandbox Org", "InstanceName": "SBX1", "IsSandbox": true, "PrimaryContact": "Ada Admin",
	}); err != nil {
		return err
	}
	var profiles []string
	for _, name := range []string{"System Administrator", "Standard User"} {
		id, err := s.add("Profile", s.start, record{"Name": name})
		if err != nil {
			return err
		}
		profiles = append(profiles, id)
	}
	return s.users(creds.Username, profiles)
}

func (s *seeder) users(admin string, profiles []string) error {
	var users []string
	for _, u := range []struct{ first, last, username, alias, profile string }{
		{"Ada", "Admin", admin, "aadmin", profiles[0]},
		{"Ivo", "Integration", "integration@sandbox.example", "iinteg", profiles[0]},
		{"Ana", "Silva", "ana.silva@sandbox.example", "asilva", profiles[1]},
		{"Ben", "Okafor", "ben.okafor@sandbox.example", "bokaf", profiles[1]},
		{"Chloé", "Dubois", "chloe.dubois@sandbox.example", "cdubo", profiles[1]},
	} {
		id, err := s.add("User", s.start, record{
			"FirstName": u.first, "LastName": u.last, "Username": u.username, "Email": strings.ToLower(u.alias) + "@sandbox.example",
			"Alias": u.alias, "CommunityNickname": u.alias, "ProfileId": u.profile,
		})
		if err != nil {
			return err
		}
		users = append(users, id)
	}
	queue, err := s.add("Group", s.start, record{"Name": "Support", "DeveloperName": "Support", "Type": "Queue"})
	if err != nil {
		return err
	}
	return s.service(profiles, users, queue)
}

// loadCredentials reads what the first start kept.
func (o *Org) loadCredentials(ctx context.Context) error {
	raw, err := o.store.meta(ctx, "credentials")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(raw), &o.creds); err != nil {
		return fmt.Errorf("reading the credentials: %w", err)
	}
	o.admin, err = o.store.meta(ctx, "admin")
	return err
}

// seedScale is how many times the small seed an org is made with.
func (o *Org) seedScale() int {
	switch o.opts.Seed {
	case SeedMedium:
		return 10
	case SeedMillion:
		return 1000
	}
	return 1
}

func newSeedSource() *rand.Rand {
	return rand.New(rand.NewPCG(seedSource, 1))
}
