package salesforce

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestJunctionIDs covers the people of a task: a list on the task, a record each in between, and the primary one.
func TestJunctionIDs(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	var ids []string
	for _, name := range []string{"A", "B", "C"} {
		ids = append(ids, o.create("Contact", `{"LastName":"`+name+`"}`))
	}
	a, b, c := ids[0], ids[1], ids[2]
	task := ""
	check := func(point, want, relations string) {
		t.Helper()
		for q, want := range map[string]string{
			"SELECT WhoId, TaskWhoIds FROM Task WHERE Id = '" + task + "'":                                                         want,
			"SELECT Relation.Name, Type FROM TaskWhoRelation WHERE TaskId = '" + task + "' ORDER BY Relation.Name":                 relations,
			"SELECT (SELECT Relation.Name, Type FROM TaskWhoRelations ORDER BY Relation.Name) FROM Task WHERE Id = '" + task + "'": "",
		} {
			status, body := o.soql(q)
			if want == "" {
				n := strings.Count(relations, "Relation")
				want = fmt.Sprintf(`[{"TaskWhoRelations":{"totalSize":%d,"done":true,"records":%s}}]`, n, relations)
				if n == 0 {
					want = `[{"TaskWhoRelations":null}]`
				}
			}
			o.judge(t, meaning{point: point, q: q, want: want}, status, body, "records")
		}
	}
	list := func(ids ...string) string { return `["` + strings.Join(ids, `","`) + `"]` }
	people := func(names ...string) string {
		for i, n := range names {
			names[i] = `{"Relation":{"Name":"` + n + `"},"Type":"Contact"}`
		}
		return "[" + strings.Join(names, ",") + "]"
	}
	patch := func(body string) {
		t.Helper()
		if status, out := o.api(http.MethodPatch, "/sobjects/Task/"+task, body); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", body, status, out)
		}
	}
	task = o.create("Task", `{"Subject":"none"}`)
	check("nobody", `[{"WhoId":null,"TaskWhoIds":null}]`, `[]`)
	task = o.create("Task", `{"Subject":"primary","WhoId":"`+b+`"}`)
	check("the primary one alone", `[{"WhoId":"`+b+`","TaskWhoIds":`+list(b)+`}]`, people("B"))
	task = o.create("Task", `{"Subject":"list","TaskWhoIds":["`+c+`","`+a+`","`+c+`"]}`)
	check("the first is the primary one", `[{"WhoId":"`+c+`","TaskWhoIds":`+list(c, a)+`}]`, people("A", "C"))
	task = o.create("Task", `{"Subject":"both","WhoId":"`+a+`","TaskWhoIds":["`+b+`","`+c+`"]}`)
	check("a primary one besides the list", `[{"WhoId":"`+a+`","TaskWhoIds":`+list(a, b, c)+`}]`, people("A", "B", "C"))
	patch(`{"Subject":"other"}`)
	check("another field", `[{"WhoId":"`+a+`","TaskWhoIds":`+list(a, b, c)+`}]`, people("A", "B", "C"))
	patch(`{"WhoId":"` + b + `"}`)
	check("another primary one", `[{"WhoId":"`+b+`","TaskWhoIds":`+list(b, c)+`}]`, people("B", "C"))
	patch(`{"TaskWhoIds":["` + a + `"]}`)
	check("another list", `[{"WhoId":"`+a+`","TaskWhoIds":`+list(a)+`}]`, people("A"))
	patch(`{"TaskWhoIds":["` + b + `","` + c + `"],"WhoId":"` + c + `"}`)
	check("another list and a primary one of it", `[{"WhoId":"`+c+`","TaskWhoIds":`+list(c, b)+`}]`, people("B", "C"))
	patch(`{"TaskWhoIds":null}`)
	check("no list", `[{"WhoId":null,"TaskWhoIds":null}]`, `[]`)
	patch(`{"TaskWhoIds":"` + b + `;` + a + `"}`)
	check("a list as one text", `[{"WhoId":"`+b+`","TaskWhoIds":`+list(b, a)+`}]`, people("A", "B"))
	if _, body := o.api(http.MethodGet, "/sobjects/Task/"+task, ""); !strings.Contains(body, `"TaskWhoIds":`+list(b, a)) {
		t.Errorf("the record: %s", body)
	}
	if _, body := o.api(http.MethodGet, "/sobjects/Task/describe", ""); !strings.Contains(body, `"junctionIdListNames":["TaskWhoIds"],"junctionReferenceTo":["Contact"]`) {
		t.Errorf("describe does not tell the list: %s", body)
	}
	for _, body := range []string{
		`{"TaskWhoIds":["` + o.admin + `"]}`, `{"TaskWhoIds":["x"]}`, `{"TaskWhoIds":5}`, `{"TaskWhoIds":[1]}`, `{"TaskWhoIds":["003000000000099AAA"]}`,
		`{"TaskWhoIds":["` + strings.Repeat(a+`","`, 50) + a + `"]}`,
	} {
		if status, out := o.api(http.MethodPatch, "/sobjects/Task/"+task, body); status != http.StatusBadRequest {
			t.Errorf("%.100s: %d %s", body, status, out)
		}
	}
	o.means(t, []meaning{
		{"in a condition", "SELECT Id FROM Task WHERE TaskWhoIds = null", "!INVALID_FIELD field 'TaskWhoIds' can not be filtered in a query call"},
		{"in ORDER BY", "SELECT Id FROM Task ORDER BY TaskWhoIds", "!INVALID_FIELD field 'TaskWhoIds' can not be sorted in a query call"},
		{"in GROUP BY", "SELECT COUNT(Id) FROM Task GROUP BY TaskWhoIds", "!MALFORMED_QUERY field 'TaskWhoIds' can not be grouped in a query call"},
	})
	if status, out := o.api(http.MethodDelete, "/sobjects/Task/"+task, ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, out)
	}
	if _, body := o.soql("SELECT Id FROM TaskWhoRelation WHERE TaskId = '" + task + "'"); !strings.Contains(body, `"totalSize":0`) {
		t.Errorf("a deleted task has people: %s", body)
	}
}

// TestManyJunctionIDs: a query may return 500 ids in lists, and no more.
func TestManyJunctionIDs(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	var ids []string
	for i := range 50 {
		ids = append(ids, o.create("Contact", fmt.Sprintf(`{"LastName":"C%d"}`, i)))
	}
	for range 10 {
		o.create("Task", `{"Subject":"many","TaskWhoIds":["`+strings.Join(ids, `","`)+`"]}`)
	}
	if status, body := o.soql("SELECT Id, TaskWhoIds FROM Task"); status != http.StatusOK || !strings.Contains(body, `"totalSize":10,`) {
		t.Errorf("500 ids: %d %.200s", status, body)
	}
	o.create("Task", `{"Subject":"one more","WhoId":"`+ids[0]+`"}`)
	const q = "SELECT Id, TaskWhoIds FROM Task"
	status, body := o.soql(q)
	o.judge(t, meaning{q: q, want: "!MALFORMED_QUERY The query returns more than 500 junction ids"}, status, body, "records")
	if status, body := o.soql(q + " WHERE Subject = 'one more'"); status != http.StatusOK {
		t.Errorf("one id: %d %s", status, body)
	}
}
