package salesforce

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// A task may be about several people. Their ids are a list on the task, TaskWhoIds, and a record each in between,
// TaskWhoRelation; the first of the list is the primary one, WhoId (Object Reference, "Task", with Shared Activities).

const (
	whoIDs      = "TaskWhoIds"
	whoRelation = "TaskWhoRelation"
	whoList     = "TaskWhoRelations" // the relationship seen from the task
	maxWho      = 50                 // people of a task
	maxJunction = 500                // ids in such lists of one query's result
)

const whoRelationFields = `TaskId reference ->Task/Task <-TaskWhoRelations
RelationId reference pointing ->Contact/Relation <-TaskWhoRelations
Type string(40)`

// checkJunction reads a list of ids, or a text of them with ; between, and keeps it as such a text.
func (o *Org) checkJunction(ctx context.Context, db querier, obj *object, f *field, v any) (any, error) {
	var ids []string
	switch x := v.(type) {
	case string:
		for part := range strings.SplitSeq(x, ";") {
			if part = strings.TrimSpace(part); part != "" {
				ids = append(ids, part)
			}
		}
	case []any:
		for _, item := range x {
			id, isText := item.(string)
			if !isText {
				return nil, cannotRead(f, item)
			}
			ids = append(ids, id)
		}
	default:
		return nil, cannotRead(f, v)
	}
	if len(ids) > maxWho {
		return nil, onFields(badRequest("LIMIT_EXCEEDED", "%s: at most %d records: shorten the list", f.label, maxWho), f.name)
	}
	var out []string
	for _, id := range ids {
		checked, err := o.checkReference(ctx, db, obj, obj.field("WhoId"), id)
		if err != nil {
			return nil, err
		}
		if known, isText := checked.(string); isText && !slices.Contains(out, known) {
			out = append(out, known)
		}
	}
	if len(out) == 0 {
		return nil, nil //nolint:nilnil // an empty list clears the field
	}
	return strings.Join(out, ";"), nil
}

// deriveWho brings the primary person and the list together. A primary one that is not in the list comes first in it; who
// names none takes the first.
func deriveWho(r record) {
	given, isSet := r[whoIDs]
	if !isSet {
		return
	}
	if given == nil {
		r["WhoId"] = nil
		return
	}
	list := strings.Split(r.text(whoIDs), ";")
	switch who := r.text("WhoId"); {
	case who == "":
		r["WhoId"] = list[0]
	case !slices.Contains(list, who):
		r[whoIDs] = who + ";" + r.text(whoIDs)
	}
}

const (
	qWhoOf   = `SELECT "RelationId" FROM "TaskWhoRelation" WHERE "TaskId" = ? AND "IsDeleted" = 0`
	qDropWho = `UPDATE "TaskWhoRelation" SET "IsDeleted" = 1 WHERE "TaskId" = ? AND "RelationId" = ? AND "IsDeleted" = 0` //nolint:gosec // a statement, and no secret
	qDropAll = `UPDATE "TaskWhoRelation" SET "IsDeleted" = 1 WHERE "TaskId" = ? AND "IsDeleted" = 0`
)

// forgetPrimary makes the first of a list that is written the primary person, unless another is named with it.
func forgetPrimary(in, merged record) {
	if _, named := in["WhoId"]; in[whoIDs] != nil && !named {
		merged["WhoId"] = nil
	}
}

// relateWho keeps the records in between of a task that was stored. old is nil for a new one.
func (o *Org) relateWho(ctx context.Context, tx *sql.Tx, user, id string, old, r record) error {
	if _, isSet := r[whoIDs]; !isSet && old.text("WhoId") == r.text("WhoId") {
		return nil
	}
	var have []string
	if old != nil {
		var err error
		if have, err = o.peopleOf(ctx, tx, id); err != nil {
			return err
		}
	}
	want := wantedPeople(have, old, r)
	for _, person := range have {
		if slices.Contains(want, person) {
			continue
		}
		if err := o.store.exec(ctx, tx, qDropWho, id, person); err != nil {
			return fmt.Errorf("taking a person off a task: %w", err)
		}
	}
	for _, person := range want {
		if slices.Contains(have, person) {
			continue
		}
		in := record{"TaskId": id, "RelationId": person, "Type": "Contact"}
		if _, err := o.create(ctx, tx, user, o.schema.object(whoRelation), in); err != nil {
			return fmt.Errorf("adding a person to a task: %w", err)
		}
	}
	return nil
}

func (o *Org) peopleOf(ctx context.Context, tx *sql.Tx, task string) ([]string, error) {
	rows, err := inTx{o.store, tx}.QueryContext(ctx, qWhoOf, task)
	if err != nil {
		return nil, fmt.Errorf("reading the people of a task: %w", err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return nil, fmt.Errorf("reading the people of a task: %w", err)
	}
	var out []string
	for _, row := range raw {
		person, _ := row[0].(string)
		out = append(out, person)
	}
	return out, nil
}

// wantedPeople are those of the list, or where none was written those that were there, with the primary person.
func wantedPeople(have []string, old, r record) []string {
	given, isSet := r[whoIDs]
	want := slices.DeleteFunc(slices.Clone(have), func(person string) bool { return isSet || person == old.text("WhoId") })
	if text, isText := given.(string); isText {
		want = strings.Split(text, ";")
	}
	if is := r.text("WhoId"); is != "" && !slices.Contains(want, is) {
		want = append([]string{is}, want...)
	}
	return want
}

// junctionColumn is the list of a task as JSON, the primary person first. What was stored before there were lists has the
// primary one alone.
func junctionColumn(t target, f *field) *reference {
	task := t.alias + `."Id"`
	who := t.alias + `."WhoId"`
	list := `COALESCE((SELECT CASE WHEN COUNT(*) > 0 THEN json_group_array(person) END FROM (SELECT "RelationId" AS person FROM "TaskWhoRelation" WHERE "TaskId" = ` +
		task + ` AND "IsDeleted" = 0 ORDER BY "RelationId" = ` + who + ` DESC, "Id")), CASE WHEN ` + who + ` IS NOT NULL THEN json_array(` + who + `) END)`
	return &reference{field: f, sql: list, folded: list}
}

// junction writes a list of ids, of which a result has a bounded number.
func (r *runner) junction(buf []byte, v any) ([]byte, error) {
	text, isText := v.(string)
	if !isText {
		return append(buf, "null"...), nil
	}
	if r.junctions += strings.Count(text, ",") + 1; r.junctions > maxJunction {
		return nil, badRequest("MALFORMED_QUERY", "The query returns more than %d junction ids: add a condition or a LIMIT", maxJunction)
	}
	return append(buf, text...), nil
}
