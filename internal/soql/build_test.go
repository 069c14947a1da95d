package soql

import (
	"strings"
	"testing"
	"time"
)

func TestBuild(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 3, 13, 26, 123e6, time.UTC)
	got, err := Build("CaseComment").Select("Id", "Parent.CaseNumber").Where("Parent.Subject", "=", `it's "so"`).Where("IsPublished", "!=", true).
		In("ParentId", "5001", "5'2").AnyLike([]string{"A__c", "B"}, "5%5", "1").After("SystemModstamp", at, "00a1").OrderBy("SystemModstamp", true).OrderBy("Id", false).Limit(7).Text()
	want := `SELECT Id, Parent.CaseNumber FROM CaseComment WHERE Parent.Subject = 'it\'s \"so\"' AND IsPublished != true AND ParentId IN ('5001', '5\'2')` +
		` AND (A__c LIKE '%5\%5%1%' OR B LIKE '%5\%5%1%') AND (SystemModstamp > 2026-11-22T03:13:26.123Z OR (SystemModstamp = 2026-11-22T03:13:26.123Z AND Id > '00a1'))` +
		` ORDER BY SystemModstamp DESC, Id LIMIT 7`
	if err != nil || got != want {
		t.Errorf("got  %s\nwant %s\n%v", got, want, err)
	}
	for name, b := range map[string]*Builder{
		"no field":        Build("Case"),
		"field":           Build("Case").Select("Id, (SELECT Id FROM Tasks)"),
		"object":          Build("Case WHERE Id != null").Select("Id"),
		"operator":        Build("Case").Select("Id").Where("Id", "= '' OR Id !=", "x"),
		"condition field": Build("Case").Select("Id").Where("Id = '' OR Id", "=", "x"),
		"order":           Build("Case").Select("Id").OrderBy("Id LIMIT 1", false),
		"value":           Build("Case").Select("Id").Where("Id", "=", struct{}{}),
	} {
		if q, err := b.Text(); err == nil {
			t.Errorf("%s: built %s", name, q)
		}
	}
}

// FuzzBuild: no value becomes grammar: what is built has the one condition that was asked for, with the value in it.
func FuzzBuild(f *testing.F) {
	for _, s := range []string{"", "a", `' OR Id != '`, `\`, `\'`, "%_", "\n", "\u2028", "'; DELETE", "x} RETURNING User(Password"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if len(v) > 1000 {
			return
		}
		v = strings.ToValidUTF8(v, "")
		q, err := Build("Contact").Select("Id").Where("Name", "=", v).Text()
		if err != nil {
			return // a text the grammar has no string for
		}
		parsed, err := Parse(q)
		if err != nil {
			t.Fatalf("%q built %s: %v", v, q, err)
		}
		if again := parsed.String(); !strings.Contains(again, "WHERE Name = "+String(v)) {
			t.Errorf("%q became %s", v, again)
		}
		if s, err := FindPhone(v, 5, Found{Object: "Contact", Fields: []string{"Id"}}); err == nil {
			if p, err := ParseSearch(s); err != nil || len(p.Returning) != 1 {
				t.Errorf("%q became %s: %v", v, s, err)
			}
		}
	})
}
