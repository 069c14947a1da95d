package salesforce

import (
	"fmt"
	"math"
	"strings"
)

// Query plans (REST API developer guide, "Get Feedback on Query Performance"): /query?explain= tells how the org would find the
// records of a query or, by its id, of a list view, without running it for the client.

// queryPlan is one way to find the records.
type queryPlan struct {
	Cardinality int64      `json:"cardinality"` // records that are found
	Fields      []string   `json:"fields"`      // of the index
	Operation   string     `json:"leadingOperationType"`
	Notes       []planNote `json:"notes"`
	Cost        float64    `json:"relativeCost"` // above 1: all records are read
	All         int64      `json:"sobjectCardinality"`
	Entity      string     `json:"sobjectType"`
}

type planNote struct {
	Description string   `json:"description"`
	Fields      []string `json:"fields"`
	Entity      string   `json:"tableEnumOrId"`
}

// scanCost is the relative cost of reading all records.
const scanCost = 1.5

func (o *Org) explain(rq *request, src string, all bool) (*response, error) {
	if v := o.viewByID(rq, src); v != nil {
		src = v.soql()
	}
	env := o.environment(rq)
	p, err := o.planFor(src, all, env)
	if err != nil {
		return nil, err
	}
	out := queryPlan{Fields: []string{}, Operation: "TableScan", Notes: []planNote{}, Entity: p.object.name, Cost: scanCost}
	if out.All, err = o.countOf(rq, "SELECT COUNT(*) FROM "+p.object.table()+` WHERE "IsDeleted" = 0`); err != nil {
		return nil, err
	}
	count := "SELECT COUNT(*) FROM (" + p.sql + ")"
	if p.count {
		count = p.sql
	}
	if out.Cardinality, err = o.countOf(rq, count, p.values(env, "")...); err != nil {
		return nil, err
	}
	index, err := o.leadingIndex(rq, p, env)
	if err != nil {
		return nil, err
	}
	if index != "" {
		out.Operation, out.Fields = "Index", []string{index}
		out.Cost = math.Round(1000*float64(out.Cardinality)/float64(max(out.All, 1))) / 1000
	} else {
		out.Notes = append(out.Notes, planNote{Description: "No condition on an indexed field narrows the records", Fields: []string{"IsDeleted"}, Entity: p.object.name})
	}
	return ok(map[string]any{"plans": []queryPlan{out}, "sourceQuery": src}), nil
}

// leadingIndex is the field whose index the store begins with, "" when it reads all records.
func (o *Org) leadingIndex(rq *request, p *plan, env environment) (string, error) {
	rows, err := o.db(rq).QueryContext(rq.ctx, "EXPLAIN QUERY PLAN "+p.sql, p.values(env, "")...)
	if err != nil {
		return "", fmt.Errorf("explaining a query: %w", err)
	}
	steps, err := scanAll(rows, 4)
	if err != nil {
		return "", fmt.Errorf("explaining a query: %w", err)
	}
	for _, s := range steps {
		detail, _ := s[3].(string)
		if !strings.HasPrefix(detail, "SEARCH") {
			if strings.HasPrefix(detail, "SCAN") {
				return "", nil
			}
			continue
		}
		if _, name, found := strings.Cut(detail, "INDEX "+p.object.name+"."); found {
			name, _, _ = strings.Cut(name, " ")
			return name, nil
		}
		return "Id", nil
	}
	return "", nil
}

// countOf runs a query of one number.
func (o *Org) countOf(rq *request, query string, args ...any) (int64, error) {
	rows, err := o.db(rq).QueryContext(rq.ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("counting: %w", err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return 0, fmt.Errorf("counting: %w", err)
	}
	if len(raw) != 1 {
		return 0, fmt.Errorf("counting gave %d rows", len(raw))
	}
	n, _ := raw[0][0].(int64)
	return n, nil
}
