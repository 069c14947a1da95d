package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ValidationRule keeps records from being saved: those a condition is true of are refused with
// FIELD_CUSTOM_VALIDATION_EXCEPTION, whichever way they come.
type ValidationRule struct {
	Name string `json:"name" yaml:"name"`
	// Condition is what comes after WHERE in a query of the entity, over its own fields and those of parents that are other
	// entities: Origin = 'Phone' AND SuppliedPhone = null.
	Condition string `json:"condition" yaml:"condition"`
	Message   string `json:"message"   yaml:"message"`
	Field     string `json:"field"     yaml:"field"` // the error is shown at; empty: at the whole record
}

// DuplicateRule keeps records from being saved that have the same values as another one in all of some fields, regardless of
// case. An empty field is like no other.
type DuplicateRule struct {
	Name   string   `json:"name"   yaml:"name"`
	Fields []string `json:"fields" yaml:"fields"`
	// Action is block, or alert: then Sforce-Duplicate-Rule-Header: allowSave=true saves all the same. Block if empty.
	Action  string `json:"action"  yaml:"action"`
	Message string `json:"message" yaml:"message"` // the platform's usual one if empty
}

// Limits of the rules of an entity.
const (
	maxRules         = 100
	maxRuleFields    = 10
	maxDuplicates    = 10
	duplicateMessage = "Use one of these records?"
)

// entityRules are the rules of an entity that were checked.
type entityRules struct {
	validation []validation
	duplicate  []duplication
}

type validation struct {
	ValidationRule
	plan *plan
}

type duplication struct {
	DuplicateRule
	fields []*field
}

// loadRules checks and compiles the rules of the custom objects.
func (o *Org) loadRules(custom []CustomObject) error {
	o.rules = map[string]*entityRules{}
	for _, c := range custom {
		obj := o.schema.object(c.Name)
		if len(c.ValidationRules)+len(c.DuplicateRules) == 0 {
			continue
		}
		if obj == nil || obj.event || obj.readOnly || len(c.ValidationRules)+len(c.DuplicateRules) > maxRules {
			return fmt.Errorf("%s cannot have rules, or has more than %d: they are for entities whose records can be written", c.Name, maxRules)
		}
		rules := o.rules[obj.name]
		if rules == nil {
			rules = &entityRules{}
			o.rules[obj.name] = rules
		}
		for _, r := range c.ValidationRules {
			v, err := o.newValidation(obj, r)
			if err != nil {
				return fmt.Errorf("validation rule %q of %s: %w", r.Name, obj.name, err)
			}
			rules.validation = append(rules.validation, v)
		}
		for _, r := range c.DuplicateRules {
			d, err := newDuplication(obj, r)
			if err != nil {
				return fmt.Errorf("duplicate rule %q of %s: %w", r.Name, obj.name, err)
			}
			rules.duplicate = append(rules.duplicate, d)
		}
	}
	return nil
}

func (o *Org) newValidation(obj *object, r ValidationRule) (validation, error) {
	f := obj.field(r.Field)
	switch {
	case r.Name == "" || r.Message == "" || strings.TrimSpace(r.Condition) == "":
		return validation{}, errors.New("it needs a name, a condition and a message")
	case r.Field != "" && f == nil:
		return validation{}, fmt.Errorf("there is no field %s", r.Field)
	case f != nil:
		r.Field = f.name
	}
	p, err := o.planFor("SELECT Id FROM "+obj.name+" WHERE ("+r.Condition+")", false, environment{zone: time.UTC})
	if err != nil {
		return validation{}, fmt.Errorf("the condition: %w", err)
	}
	return validation{r, p}, nil
}

func newDuplication(obj *object, r DuplicateRule) (duplication, error) {
	d := duplication{DuplicateRule: r}
	d.Action, d.Message = orElse(r.Action, "block"), orElse(r.Message, duplicateMessage)
	if r.Name == "" || len(r.Fields) == 0 || len(r.Fields) > maxRuleFields || d.Action != "block" && d.Action != "alert" {
		return d, fmt.Errorf("it needs a name, 1 to %d fields, and block or alert as action", maxRuleFields)
	}
	for _, name := range r.Fields {
		f := obj.field(name)
		if f == nil || f.longText || f.writeOnly {
			return d, fmt.Errorf("there is no field %s that records can be compared by", name)
		}
		d.fields = append(d.fields, f)
	}
	return d, nil
}

// allowDuplicates is the key of a context in which alerts of duplicate rules are passed over.
type allowDuplicates struct{}

// heedingDuplicates is a call that carries into its saves what its headers say about duplicate rules.
func heedingDuplicates(rq *request) *request {
	if headerOption(rq.header.Get("Sforce-Duplicate-Rule-Header"), "allowSave") != "true" {
		return rq
	}
	out := *rq
	out.ctx = context.WithValue(rq.ctx, allowDuplicates{}, true)
	return &out
}

// mayBeSaved refuses a record, of which in is new, that has what is another's alone or that the rules of its entity do not let in.
func (o *Org) mayBeSaved(ctx context.Context, tx *sql.Tx, user string, obj *object, in, r, old record) error {
	if err := o.unique(ctx, tx, obj, in, r.text("Id")); err != nil {
		return err
	}
	return o.checkRules(ctx, tx, user, obj, r, old)
}

// checkRules refuses a record the rules of its entity do not let in. It is complete, and not stored yet; old is what it was
// before, nil: it is new.
func (o *Org) checkRules(ctx context.Context, tx *sql.Tx, user string, obj *object, r, old record) error {
	rules := o.rules[obj.name]
	if rules == nil {
		return nil
	}
	for _, v := range rules.validation {
		broken, err := o.holds(ctx, tx, user, v.plan, r)
		if err != nil {
			return fmt.Errorf("checking the rule %s: %w", v.Name, err)
		}
		if broken {
			e := badRequest("FIELD_CUSTOM_VALIDATION_EXCEPTION", "%s", v.Message)
			if v.Field != "" {
				e.Fields = []string{v.Field}
			}
			return e
		}
	}
	for _, d := range rules.duplicate {
		if err := o.checkDuplicates(ctx, tx, obj, d, r, old); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether a record is one a query finds: it alone stands in for the table.
func (o *Org) holds(ctx context.Context, tx *sql.Tx, user string, p *plan, r record) (bool, error) {
	cols := storedColumns(p.object)
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.name
	}
	query := "WITH " + p.object.table() + " (" + strings.Join(names, ", ") + ") AS (VALUES (" +
		strings.TrimSuffix(strings.Repeat("?, ", len(cols)), ", ") + ")) " + p.sql
	env := environment{now: o.now(), zone: time.UTC, user: user}
	rows, err := inTx{o.store, tx}.QueryContext(ctx, query, append(insertArgs(p.object, r), p.values(env, "")...)...)
	if err != nil {
		return false, err
	}
	found, err := scanAll(rows, p.columns)
	return len(found) > 0, err
}

// checkDuplicates refuses a record that has the values of another one in the fields of a rule.
func (o *Org) checkDuplicates(ctx context.Context, tx *sql.Tx, obj *object, d duplication, r, old record) error {
	if d.Action == "alert" && ctx.Value(allowDuplicates{}) != nil {
		return nil
	}
	var where strings.Builder
	args := []any{r["Id"]}
	changed := old == nil
	for _, f := range d.fields {
		v := r[f.name]
		if v == nil {
			return nil
		}
		changed = changed || old[f.name] != v
		where.WriteString(" AND " + f.folded() + " = ?")
		if f.folded() != f.column() {
			v = fold(v)
		}
		args = append(args, v)
	}
	if !changed {
		return nil
	}
	rows, err := inTx{o.store, tx}.QueryContext(ctx, `SELECT "Id" FROM `+obj.table()+` WHERE "Id" <> ? AND "IsDeleted" = 0`+where.String()+" LIMIT "+itoa(maxDuplicates), args...)
	if err != nil {
		return fmt.Errorf("looking for duplicates: %w", err)
	}
	found, err := scanAll(rows, 1)
	if err != nil || len(found) == 0 {
		return err //nolint:wrapcheck // scanAll says what failed
	}
	e := badRequest("DUPLICATES_DETECTED", "%s", d.Message)
	e.Duplicates = duplicateResult(obj, d, found)
	e.Misspelt = e.Duplicates
	return e
}

func duplicateResult(obj *object, d duplication, found [][]any) map[string]any {
	records := make([]map[string]any, 0, len(found))
	for _, row := range found {
		id, _ := row[0].(string)
		records = append(records, map[string]any{
			"additionalInformation": []any{}, "fieldDiffs": []any{}, "matchConfidence": 100.0,
			"record": map[string]any{
				"attributes": map[string]string{"type": obj.name, "url": "/services/data/v" + itoa(maxVersion) + ".0/sobjects/" + obj.name + "/" + id}, "Id": id,
			},
		})
	}
	return map[string]any{
		"allowSave": d.Action == "alert", "duplicateRule": d.Name, "duplicateRuleEntityType": obj.name, "errorMessage": d.Message,
		"matchResults": []map[string]any{{
			"entityType": obj.name, "errors": []any{}, "matchEngine": "ExactMatchEngine", "matchRecords": records, "rule": d.Name,
			"size": len(records), "success": true,
		}},
	}
}
