package salesforce

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Limits of trees besides the number of records (REST API developer guide, "sObject Tree").
const (
	maxTreeDepth = 5
	maxTreeTypes = 5
)

// treeNode is a record of a tree.
type treeNode struct {
	typedRecord
	parent *treeNode // nil: a root
	link   *field    // names the parent
	saved  string    // its id
}

// treeReader reads a tree level by level, the order in which it is stored and answered.
type treeReader struct {
	seen   *schema
	levels [][]*treeNode
	count  int
	types  map[*object]bool
	refs   map[string]int
}

// tree answers /composite/tree/{entity}: records with their children, all or none.
func (o *Org) tree(rq *request) (*response, error) {
	if len(rq.segs) != 3 {
		return nil, notFound()
	}
	if rq.method != http.MethodPost {
		return nil, methodNotAllowed(rq.method)
	}
	root := o.seen(rq).object(rq.segs[2])
	if root == nil {
		return nil, notFound()
	}
	var in struct {
		Records []json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	if len(in.Records) == 0 {
		return nil, badRequest("JSON_PARSER_ERROR", "'records' is a required field.")
	}
	t := &treeReader{seen: o.seen(rq), types: map[*object]bool{}, refs: map[string]int{}}
	if err := t.read(in.Records, root, nil, nil, 0); err != nil {
		return nil, err
	}
	if twice := t.duplicates(); twice != nil {
		return treeFailed(twice), nil
	}
	saved, failed, err := o.saveTree(rq, t.levels)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return treeFailed(failed), nil
	}
	return &response{status: http.StatusCreated, body: map[string]any{"hasErrors": false, "results": saved}}, nil
}

func treeFailed(results []map[string]any) *response {
	return &response{status: http.StatusBadRequest, body: map[string]any{"hasErrors": true, "results": results}}
}

func (t *treeReader) read(list []json.RawMessage, of *object, parent *treeNode, link *field, depth int) error {
	if depth == maxTreeDepth {
		return badRequest("INVALID_INPUT", "The request can’t contain trees of more than %d levels.", maxTreeDepth)
	}
	if len(t.levels) == depth {
		t.levels = append(t.levels, nil)
	}
	for _, raw := range list {
		if t.count++; t.count > maxCollection {
			return badRequest("INVALID_INPUT", "The request can’t contain more than %d records.", maxCollection)
		}
		rec, err := typed(t.seen, raw)
		if err != nil {
			return err
		}
		switch first := strings.TrimLeft(rec.ref, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"); {
		case rec.ref == "":
			return fault(http.StatusForbidden, "INVALID_INPUT", "Include a reference ID for each record in the request.")
		case first == rec.ref:
			return badRequest("INVALID_INPUT", "The reference ID '%s' must start with a letter or a number.", shorten(rec.ref))
		case rec.object != of:
			return badRequest("INVALID_INPUT", "The record '%s' is of %s: records of %s belong here.", shorten(rec.ref), rec.object.name, of.name)
		}
		t.refs[rec.ref]++
		if t.types[rec.object] = true; len(t.types) > maxTreeTypes {
			return badRequest("INVALID_INPUT", "The request can’t contain records of more than %d types.", maxTreeTypes)
		}
		node := &treeNode{typedRecord: rec, parent: parent, link: link}
		t.levels[depth] = append(t.levels[depth], node)
		for _, nested := range children(rec) {
			if err := t.read(nested.records, nested.rel.child, node, nested.rel.field, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// duplicates lists each record whose reference id another has too, nil when there is none.
func (t *treeReader) duplicates() []map[string]any {
	var out []map[string]any
	for _, level := range t.levels {
		for _, n := range level {
			if t.refs[n.ref] > 1 {
				out = append(out, map[string]any{"referenceId": n.ref, "errors": collectionErrors([]apiError{
					*badRequest("INVALID_INPUT", "Duplicate ReferenceId provided in the request."),
				})})
			}
		}
	}
	return out
}

// saveTree stores the levels one after the other. It tells of all failures of the first level that has some.
func (o *Org) saveTree(rq *request, levels [][]*treeNode) (saved, failed []map[string]any, err error) {
	err = o.update(rq, func(tx *sql.Tx) error {
		part := *rq
		part.tx, saved, failed = tx, nil, nil
		for _, level := range levels {
			for _, n := range level {
				if n.parent != nil {
					n.fields[n.link.name] = appendString(nil, n.parent.saved)
				}
				_, err := o.store.savepoint(rq.ctx, tx, func() (_ saveResult, err error) {
					n.saved, err = o.insertOne(&part, n.object, n.fields)
					return saveResult{}, err
				})
				if err != nil {
					failed = append(failed, map[string]any{"referenceId": n.ref, "errors": collectionErrors([]apiError{o.recordFault(rq, err)})})
					continue
				}
				saved = append(saved, map[string]any{"referenceId": n.ref, "id": n.saved})
			}
			if failed != nil {
				return errUndo
			}
		}
		return nil
	})
	if errors.Is(err, errUndo) {
		err = nil
	}
	return saved, failed, err
}

type nestedRecords struct {
	rel     childRel
	records []json.RawMessage
}

// children takes the nested lists out of a record.
func children(rec typedRecord) []nestedRecords {
	var out []nestedRecords
	for _, rel := range rec.object.children {
		for name, raw := range rec.fields {
			if !strings.EqualFold(name, rel.name) {
				continue
			}
			var list struct {
				Records []json.RawMessage `json:"records"`
			}
			if json.Unmarshal(raw, &list) == nil && list.Records != nil {
				out = append(out, nestedRecords{rel, list.Records})
				delete(rec.fields, name)
			}
		}
	}
	return out
}
