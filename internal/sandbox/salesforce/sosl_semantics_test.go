package salesforce

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/soql"
)

// searchOrg is meaningOrg with some more to be found.
func searchOrg(t *testing.T) *testOrg {
	t.Helper()
	o := meaningOrg(t)
	for _, r := range []string{
		`{"LastName":"Uk","Phone":"+44 (0)20 7946 0018","Email":"uk.office@acme-labs.example"}`,
		`{"LastName":"Smith","FirstName":"John","Title":"Office Manager, Kyoto"}`,
		`{"LastName":"Smithson","FirstName":"Joan","Title":"Manager of an office"}`,
		`{"LastName":"Star*man","FirstName":"AND"}`,
	} {
		o.create("Contact", r)
	}
	return o
}

// TestMeaningOfSearches is a table of searches and their exact results.
func TestMeaningOfSearches(t *testing.T) {
	t.Parallel()
	o := searchOrg(t)
	names := func(list ...string) string {
		for i, n := range list {
			list[i] = `{"LastName":"` + n + `"}`
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	in := func(term string) string {
		return "FIND {" + term + "} RETURNING Contact(LastName ORDER BY LastName)"
	}
	for _, c := range []meaning{
		{"a word, without case", in("SMITH"), names("Smith")},
		{"* is any end of a word", in("smith*"), names("Smith", "Smithson")},
		{"* in a word", in("s*son"), names("Smithson")},
		{"? is one character", in("jo?n"), names("Smith", "Smithson")},
		{"* at the start is left out", in("*smith"), names("Smith")},
		{"wildcards alone", in("**"), "!MALFORMED_SEARCH search term must be longer than one character: **"},
		{"an escaped wildcard", in(`star\*man`), names("Star*man")},
		{"words side by side", in("john smith"), names("Smith")},
		{"words in any order", in("smith john"), names("Smith")},
		{"a phrase", in(`"office manager"`), names("Smith")},
		{"a phrase in its order", in(`"manager office"`), names()},
		{"a phrase over a field's end", in(`"smith office"`), names()},
		{"AND", in("manager AND john"), names("Smith")},
		{"OR", in("john OR joan"), names("Smith", "Smithson")},
		{"operators without case", in("john or joan"), names("Smith", "Smithson")},
		{"AND NOT", in("manager AND NOT john"), names("Smithson")},
		{"AND binds closer than OR", in("zed OR manager AND john"), names("Smith", "Zed")},
		{"AND binds closer than OR on its left", in("manager AND john OR zed"), names("Smith", "Zed")},
		{"parentheses", in("(zed OR manager) AND john"), names("Smith")},
		{"NOT of parentheses", in("manager AND NOT (john OR kyoto)"), names("Smithson")},
		{"an operator in quotation marks is a word", in(`"and"`), names("Star*man")},
		{"an operator without anything before", in("AND john"), "!MALFORMED_SEARCH the search term cannot be understood"},
		{"an operator without anything behind", in("john OR"), "!MALFORMED_SEARCH the search term cannot be understood"},
		{"NOT alone", in("NOT john"), "!MALFORMED_SEARCH the search term cannot be understood"},
		{"a parenthesis that is not closed", in("(john"), "!MALFORMED_SEARCH the search term cannot be understood"},
		{"a parenthesis too many", in("john)"), "!MALFORMED_SEARCH the search term cannot be understood"},
		{"a quotation mark that is not closed", in(`"john`), "!MALFORMED_SEARCH a quotation mark is never closed"},
		{"one character", in("x"), "!MALFORMED_SEARCH search term must be longer than one character: x"},
		{"nothing", in(""), "!MALFORMED_SEARCH search term must be longer than one character"},
		{"punctuation parts words", in("o'brien"), names("O'Brien")},
		{"escaped punctuation", in(`o\'brien`), names("O'Brien")},
		{"letters beyond ASCII", "FIND {émile} RETURNING Account(Name)", `[{"Name":"Émile_x"}]`},
		{"an address of mail", in("uk.office@acme\\-labs.example"), names("Uk")},
		{"NAME FIELDS", "FIND {kyoto OR smith} IN NAME FIELDS RETURNING Contact(LastName ORDER BY LastName)", names("Smith")},
		{"NAME FIELDS of a case", "FIND {three} IN NAME FIELDS RETURNING Case(Subject)", `[{"Subject":"Three"}]`},
		{"EMAIL FIELDS", "FIND {acme*} IN EMAIL FIELDS RETURNING Contact(LastName ORDER BY LastName)", names("O'Brien", "Uk")},
		{"PHONE FIELDS: by the last digits", "FIND {5550101} IN PHONE FIELDS RETURNING Contact(LastName)", names("O'Brien")},
		{"PHONE FIELDS: however they are written", `FIND {(415) 555-0102} IN PHONE FIELDS RETURNING Contact(LastName)`, names("Zed")},
		{"PHONE FIELDS: with a country", `FIND {\+1 415 555 0101} IN PHONE FIELDS RETURNING Contact(LastName)`, names("O'Brien")},
		{"PHONE FIELDS: with 00", "FIND {0014155550101} IN PHONE FIELDS RETURNING Contact(LastName)", names("O'Brien")},
		{"PHONE FIELDS: the first digits", "FIND {1415*} IN PHONE FIELDS RETURNING Contact(LastName)", names("O'Brien")},
		{"PHONE FIELDS: one of two numbers", "FIND {5550101 OR 5550102} IN PHONE FIELDS RETURNING Contact(LastName ORDER BY LastName)", names("O'Brien", "Zed")},
		{"PHONE FIELDS: no word of other fields", "FIND {smith} IN PHONE FIELDS RETURNING Contact(LastName)", names()},
		{"SIDEBAR FIELDS", "FIND {smith} IN SIDEBAR FIELDS RETURNING Contact(LastName)", names("Smith")},
		{"an unknown group of fields", "FIND {smith} IN SOME FIELDS", "!MALFORMED_SEARCH unexpected token: 'SOME'"},
		{"without RETURNING ids of all entities", "FIND {acme}", `[{"Id":"001000000000001AAA"},{"Id":"003000000000001AAA"},{"Id":"003000000000004AAA"}]`},
		{"without fields ids", "FIND {acme} RETURNING Account", `[{"Id":"001000000000001AAA"}]`},
		{"several entities in the order written", "FIND {acme} RETURNING Contact(LastName ORDER BY LastName), Account(Name)", `[{"LastName":"O'Brien"},{"LastName":"Uk"},{"Name":"Acme"}]`},
		{"WHERE", "FIND {acme*} RETURNING Contact(LastName WHERE AccountId != null)", names("O'Brien")},
		{"ORDER BY", "FIND {manager} RETURNING Contact(LastName ORDER BY LastName DESC)", names("Smithson", "Smith")},
		{"LIMIT of an entity", "FIND {manager} RETURNING Contact(LastName ORDER BY LastName LIMIT 1), Account", names("Smith")},
		{"LIMIT of all", "FIND {acme} RETURNING Account(Name), Contact(LastName ORDER BY LastName) LIMIT 2", `[{"Name":"Acme"},{"LastName":"O'Brien"}]`},
		{"LIMIT of all is less than that of an entity", "FIND {manager} RETURNING Contact(LastName ORDER BY LastName LIMIT 9) LIMIT 1", names("Smith")},
		{"LIMIT 0", "FIND {acme} LIMIT 0", `[]`},
		{"OFFSET", "FIND {manager} RETURNING Contact(LastName ORDER BY LastName LIMIT 5 OFFSET 1)", names("Smithson")},
		{"a parent's field", "FIND {brien} RETURNING Contact(LastName, Account.Name)", `[{"LastName":"O'Brien","Account":{"Name":"Acme"}}]`},
		{"toLabel and FORMAT", "FIND {brien} RETURNING Contact(toLabel(LeadSource), FORMAT(Birthdate))", `[{"LeadSource":null,"Birthdate":"5/1/1990"}]`},
		{"convertCurrency", "FIND {acme} RETURNING Account(convertCurrency(AnnualRevenue))", "!MALFORMED_QUERY convertCurrency"},
		{"a list view of all", "FIND {acme} RETURNING Account(Name USING ListView=AllAccounts)", `[{"Name":"Acme"}]`},
		{"a list view of one's own", "FIND {three OR one} RETURNING Case(Subject USING ListView = MyCases WHERE IsClosed = false)", `[{"Subject":"One"}]`},
		{"an unknown list view", "FIND {acme} RETURNING Account(Name USING ListView=Foo)", "!MALFORMED_SEARCH the list view 'Foo' of 'Account' does not exist"},
		{"an unknown entity", "FIND {acme} RETURNING Foo", "!INVALID_TYPE sObject type 'Foo' is not supported."},
		{"an entity that is not searched", "FIND {acme} RETURNING Profile", "!INVALID_TYPE entity type Profile does not support search"},
		{"an unknown field, also where nothing is found", "FIND {nothing} RETURNING Account(Foo)", "!INVALID_FIELD No such column 'Foo' on entity 'Account'."},
		{"an unknown field after the limit", "FIND {acme} RETURNING Account(Name), Contact(Foo) LIMIT 1", "!INVALID_FIELD No such column 'Foo' on entity 'Contact'."},
		{"an aggregate", "FIND {acme} RETURNING Account(COUNT(Id))", "!MALFORMED_SEARCH"},
		{"children", "FIND {acme} RETURNING Account(Name, (SELECT Id FROM Contacts))", "!MALFORMED_SEARCH"},
		{"quotation marks instead of braces", "FIND 'acme'", "!MALFORMED_SEARCH No search term found. The search term must be enclosed in braces."},
		{"double quotation marks instead of braces", `FIND "acme"`, "!MALFORMED_SEARCH No search term found. The search term must be enclosed in braces."},
		{"a brace that is not closed", "FIND {acme", "!MALFORMED_SEARCH"},
		{"text after the end", "FIND {acme} LIMIT 1 foo", "!MALFORMED_SEARCH unexpected token: 'foo'"},
		{"a negative limit", "FIND {acme} LIMIT -1", "!MALFORMED_SEARCH"},
		{"WITH DIVISION", "FIND {acme} WITH DIVISION = 'Global'", "!MALFORMED_SEARCH remove WITH DIVISION"},
		{"WITH NETWORK", "FIND {acme} WITH NETWORK = '0DB000000000001'", "!MALFORMED_SEARCH remove WITH NETWORK"},
		{"WITH PricebookId", "FIND {acme} WITH PricebookId = '01s000000000001'", "!MALFORMED_SEARCH remove WITH PRICEBOOKID"},
		{"WITH METADATA", "FIND {acme} WITH METADATA = 'LABELS'", "!MALFORMED_SEARCH remove WITH METADATA"},
		{"WITH SNIPPET", "FIND {acme} WITH SNIPPET (target_length=120)", "!MALFORMED_SEARCH remove WITH SNIPPET"},
		{"WITH HIGHLIGHT", "FIND {acme} WITH HIGHLIGHT", "!MALFORMED_SEARCH remove WITH HIGHLIGHT"},
		{"WITH DATA CATEGORY", "FIND {acme} WITH DATA CATEGORY a__c AT b__c", "!MALFORMED_SEARCH remove WITH DATA"},
		{"WITH SPELL_CORRECTION", "FIND {acme} RETURNING Account(Name) WITH SPELL_CORRECTION = false", `[{"Name":"Acme"}]`},
		{"UPDATE", "FIND {acme} RETURNING Account(Name) UPDATE TRACKING, VIEWSTAT", `[{"Name":"Acme"}]`},
	} {
		t.Run(c.point, func(t *testing.T) {
			t.Parallel()
			status, body := o.api(http.MethodGet, "/search?q="+url.QueryEscape(c.q), "")
			o.judge(t, c, status, body, "searchRecords")
		})
	}
}

// TestLongTerms: beyond 4,000 characters any word is enough, beyond 10,000 nothing is found.
func TestLongTerms(t *testing.T) {
	t.Parallel()
	o := searchOrg(t)
	for _, c := range []struct {
		length int
		want   string
	}{{4000, `[]`}, {4001, `[{"LastName":"Smith"}]`}, {10_000, `[{"LastName":"Smith"}]`}, {10_001, `[]`}} {
		term := "smith AND nobody "
		term += strings.Repeat("z", c.length-len(term))
		_, out := o.api(http.MethodGet, "/search?q="+url.QueryEscape("FIND {"+term+"} RETURNING Contact(LastName)"), "")
		if got := attributesOf.ReplaceAllString(out, ""); !strings.Contains(got, `"searchRecords":`+c.want) {
			t.Errorf("%d characters: %.200s instead of %s", c.length, got, c.want)
		}
	}
}

// TestManyFound: a search ends at 2,000 records.
func TestManyFound(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.manyContacts(t, 2001)
	for q, want := range map[string]int{
		"FIND {customers} IN EMAIL FIELDS RETURNING Contact(Id)":           2000,
		"FIND {customers} IN EMAIL FIELDS RETURNING Contact(Id LIMIT 30)":  30,
		"FIND {customers} IN EMAIL FIELDS RETURNING Contact(Id) LIMIT 500": 500,
	} {
		if _, body := o.api(http.MethodGet, "/search?q="+url.QueryEscape(q), ""); strings.Count(body, `"Id":`) != want {
			t.Errorf("%s: %d instead of %d", q, strings.Count(body, `"Id":`), want)
		}
	}
}

// TestSearchUsesIndexes looks at how a number is searched for.
func TestSearchUsesIndexes(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{SeedSmall, SeedNone} {
		o := start(t, Options{Seed: seed})
		m, err := parseTerm("4155550101")
		if err != nil {
			t.Fatal(err)
		}
		obj := o.schema.object("Contact")
		only, err := o.found(&request{ctx: t.Context()}, obj, soql.ScopePhone, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{
			"SELECT Id, Name, Account.Name FROM Contact LIMIT 20", "SELECT Id FROM Contact WHERE IsDeleted = false ORDER BY LastName", "SELECT Id FROM Contact USING SCOPE mine",
		} {
			q, err := soql.Parse(query)
			if err != nil {
				t.Fatal(err)
			}
			c := &compiler{schema: o.schema, src: query, zone: "UTC", only: only}
			p, err := c.compile(q)
			if err != nil {
				t.Fatal(err)
			}
			plan := o.explain(t, p)
			if strings.Contains(plan, "SCAN") || !strings.Contains(plan, "phone USING PRIMARY KEY (entity=? AND reversed>? AND reversed<?)") ||
				!strings.Contains(plan, "SEARCH t1 USING PRIMARY KEY (Id=?)") && !strings.Contains(plan, "SEARCH t1 USING INDEX Contact.OwnerId (OwnerId=? AND Id=?)") {
				t.Errorf("with seed %s %s: %s", seed, query, plan)
			}
		}
	}
}
