package soql

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ignorePlaces compares trees by meaning: places and the spelling of a literal's surroundings may differ.
func ignorePlaces() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Pos" }, cmp.Ignore())
}

func roundTrip(t *testing.T, q *Query) {
	t.Helper()
	printed := q.String()
	again, err := Parse(printed)
	if err != nil {
		t.Errorf("printed as %q, which does not parse: %v", printed, err)
		return
	}
	if diff := cmp.Diff(q, again, ignorePlaces()); diff != "" {
		t.Errorf("printing %q changed the tree (-want +got):\n%s", printed, diff)
	}
}

func TestErrorPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, src, msg string
		row, col       int
	}{
		{"end", "SELECT Name FROM Account WHERE", "unexpected token: '<EOF>'", 1, 31},
		{"word", "SELECT Id\nFROM Account WHERE Id = foo", "unexpected token: 'foo'", 2, 25},
		{"mixed", "SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "unexpected token: 'OR'", 1, 46},
		{"not and", "SELECT Id FROM Account WHERE NOT a = 1 AND b = 2", "unexpected token: 'AND'", 1, 40},
		{"bind", "SELECT Id FROM Account WHERE Id = :x", "unexpected token: ':'", 1, 35},
		{"star", "SELECT * FROM Account", "unexpected token: '*'", 1, 8},
		{"double quotes", `SELECT Id FROM Account WHERE Name = "x"`, `unexpected token: '"'`, 1, 37},
		{"exponent", "SELECT Id FROM Account WHERE a = 1.5e3", "unexpected token: 'e3'", 1, 37},
		{"call of a date", "SELECT Id FROM Account WHERE a = TODAY()", "unexpected token: '('", 1, 39},
		{"empty list", "SELECT Id FROM Account WHERE a IN ()", "unexpected token: ')'", 1, 36},
		{"open string", "SELECT Id FROM Account WHERE a = 'x", "unexpected token: '<EOF>' (the string is never closed with ')", 1, 34},
		{"escape", `SELECT Id FROM Account WHERE a = 'x\q'`, `Invalid string literal 'x\q'. Illegal character sequence '\q' in string literal.`, 1, 36},
		{"percent outside LIKE", `SELECT Id FROM Account WHERE a = '\%'`, `Invalid string literal '\%'. Illegal character sequence '\%' in string literal.`, 1, 35},
		{"order in a semi-join", "SELECT Id FROM A WHERE B IN (SELECT C FROM D ORDER BY E)", "unexpected token: 'ORDER'", 1, 46},
		{"wide characters", "SELECT Id FROM A WHERE B = 'é' x", "unexpected token: 'x'", 1, 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(c.src)
			var fault *Error
			if !errors.As(err, &fault) {
				t.Fatalf("Parse(%q) = %v, want an *Error", c.src, err)
			}
			if fault.Msg != c.msg || fault.Row != c.row || fault.Col != c.col {
				t.Errorf("got %q at %d:%d, want %q at %d:%d", fault.Msg, fault.Row, fault.Col, c.msg, c.row, c.col)
			}
		})
	}
}

func TestCaret(t *testing.T) {
	t.Parallel()
	got := Caret("SELECT Foo FROM Account", 7, "No such column 'Foo'")
	want := "\nSELECT Foo FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo'"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	long := "SELECT " + strings.Repeat("a, ", 500) + "Foo FROM Account"
	got = Caret(long, Pos(strings.Index(long, "Foo")), "x")
	lines := strings.Split(got, "\n")
	if at := strings.IndexByte(lines[2], '^'); len(lines[1]) > caretWindow || !strings.HasPrefix(lines[1][at:], "Foo") {
		t.Errorf("a long line is cut wrongly: %q", got)
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"SELECT Id FROM Account LIMIT 0;",
		"SELECT Id FROM Order ORDER BY Id",
		"SELECT Id FROM Group GROUP BY Id",
		"SELECT Id FROM Case c WHERE c.IsClosed = false",
		"SELECT Id FROM Account " + strings.Repeat("OFFSET ", 2) + "10",
		"SELECT Id FROM Account AS a",
		"SELECT a.Id, c.Name FROM Account a, a.Contacts c",
		"SELECT Id FROM Account WHERE a < = 5 AND b <> null AND c >= -1.5",
		"SELECT Id FROM Account WHERE T = 10:00:00.000Z",
		"SELECT Id, (SELECT Id, (SELECT Id FROM Cases) FROM Contacts) x FROM Account",
		"SELECT Id FROM Account WHERE A + B > 5",
		"SELECT FORMAT(convertCurrency(Amount)) c FROM Opportunity FOR REFERENCE UPDATE TRACKING",
		"SELECT Id FROM Account WITH SECURITY_ENFORCED WITH USER_MODE",
		"SELECT Id FROM KB WITH DATA CATEGORY G__c AT (a__c, b__c) AND H__c BELOW c__c",
		"SELECT Id FROM X WITH RecordVisibilityContext (maxDescriptorPerRecord=100, supportsDomains=true)",
		"SELECT Id FROM Account;;",
		"SELECT Id FROM a USING SCOPE Mine, scope AS WHERE b = 1", // an entity that is called scope
		"SELECT Id FROM a USING SCOPE Mine, scope b USING LOOKUP c",
		"SELECT Id FROM a USING SCOPE Mine, LOOKUP c, b",
		"SELECT Id FROM a AS WHERE b = 1",
		"SELECT Id FROM a WHERE distance(b(c)) IN (1)",
		"SELECT Id FROM a WHERE b = usd5. AND c = EUR1..5",
		"SELECT Id FROM a WHERE b = LAST_N_DAYS:99999999999999999999",
		"SELECT DISTANCE(L, GEOLOCATION(1, 2), 'a\nb') FROM A",
		"SELECT Id FROM a UPDATE viewstat, tracking",
	} {
		q, err := Parse(src)
		if err != nil {
			t.Errorf("Parse(%q): %v", src, err)
			continue
		}
		roundTrip(t, q)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"", "SELECT", "SELECT Id", "SELECT Id FROM", "SELECT Id, FROM Account", "SELECT Id; FROM Account",
		"SELECT Id FROM Account FOR UPDATE", "SELECT Id FROM Account ALL ROWS", "SELECT Id FROM Account FOR",
		"SELECT a(b(c(d))) FROM Account", "SELECT COUNT(), Id FROM Account", "SELECT Id FROM Account WHERE a = 1 b = 2",
		"SELECT Id FROM Account WHERE a IN (SELECT b FROM c LIMIT 1)", "SELECT Id FROM Account WHERE a IN (SELECT b, c FROM d)",
		"SELECT Id FROM Account WHERE a = 2020-1-1", "SELECT Id FROM Account WHERE a = 2020-01-01T00:00:00",
		"SELECT Id FROM Account WHERE a = 'x\ny'", "SELECT Id FROM Account WHERE a = '\\u12g4'", "SELECT Id FROM Account LIMIT 1.5",
		"SELECT Id FROM Account ORDER BY Id LIMIT 1 ORDER BY Id", "SELECT Id FROM Account OFFSET 1 LIMIT 1",
		"SELECT Id FROM Account WHERE LAST_N_DAYS:x = 1", "SELECT Id FROM hierarchical", "SELECT _a FROM b", "SELECT Id FROM a USING SCOPE data",
		"SELECT Id FROM a UPDATE view", "SELECT Id FROM a WHERE b = 10:20:30", `SELECT Id FROM a WHERE b = '\f'`,
		"SELECT Id FROM a WITH b (c = -1)", "SELECT Id FROM a WITH b (c = null)", "SELECT DISTANCE(f(L), GEOLOCATION(1, 2), 'mi') FROM A",
		"SELECT Id FROM \x80", "SELECT Id FROM Account WHERE " + strings.Repeat("NOT ", 2) + "a = 1", "SELECT Id FROM Account WHERE a = 1 AND NOT b = 2",
	} {
		if _, err := Parse(src); err == nil {
			t.Errorf("Parse(%q) is accepted", src)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("(", MaxDepth+1) + "a = 1" + strings.Repeat(")", MaxDepth+1)
	for name, src := range map[string]string{
		"length": "SELECT Id FROM Account WHERE a = 1" + strings.Repeat(" ", MaxLength),
		"string": "SELECT Id FROM Account WHERE a = '" + strings.Repeat("x", MaxString+1) + "'",
		"depth":  "SELECT Id FROM Account WHERE " + deep,
	} {
		if _, err := Parse(src); err == nil {
			t.Errorf("%s: a text past the limit is accepted", name)
		}
	}
	fits := "SELECT Id FROM Account WHERE a = '" + strings.Repeat("é", MaxString) + "'"
	if _, err := Parse(fits); err != nil {
		t.Errorf("a string of exactly the limit is refused: %v", err)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]Value{
		`'O\'Brien'`:                  {Kind: Text, Raw: `O\'Brien`, Str: "O'Brien"},
		`'a\\b\"\n\u00e9'`:            {Kind: Text, Raw: `a\\b\"\n\u00e9`, Str: "a\\b\"\né"},
		"LAST_N_DAYS:7":               {Kind: DateFormula, Raw: "LAST_N_DAYS:7", Str: "LAST_N_DAYS", N: 7, HasN: true},
		"today":                       {Kind: DateFormula, Raw: "today", Str: "TODAY"},
		"usd500.01":                   {Kind: Currency, Raw: "usd500.01", Str: "USD"},
		"- 5":                         {Kind: Integer, Raw: "-5"},
		"+1.50":                       {Kind: Decimal, Raw: "1.50"},
		"TRUE":                        {Kind: Bool, Raw: "TRUE", Bool: true},
		"null":                        {Kind: Null, Raw: "null"},
		"2026-11-22":                  {Kind: Date, Raw: "2026-11-22"},
		"2026-11-22T01:02:03.5+01:00": {Kind: DateTime, Raw: "2026-11-22T01:02:03.5+01:00"},
	} {
		q, err := Parse("SELECT Id FROM A WHERE b = " + src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		cond, ok := q.Where.(*Compare)
		if !ok {
			t.Fatalf("%s: got %T", src, q.Where)
		}
		if diff := cmp.Diff(want, cond.Value, ignorePlaces()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", src, diff)
		}
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "plain", "O'Brien", `a\b`, `\'`, `x' OR Name != '`, "a\nb\tc\r\f\b", `50%_"x"`, "é\u2019"} {
		q, err := Parse("SELECT Id FROM A WHERE b = " + String(v))
		if err != nil {
			t.Errorf("String(%q): %v", v, err)
			continue
		}
		if c, ok := q.Where.(*Compare); !ok || c.Value.Str != v {
			t.Errorf("String(%q) came back as %v", v, q.Where)
		}
		if _, err := Parse("SELECT Id FROM A WHERE b LIKE '%" + Like(v) + "%'"); err != nil {
			t.Errorf("Like(%q): %v", v, err)
		}
	}
	q, err := Parse("SELECT Id FROM A WHERE b LIKE '%" + Like(`5%_\`) + "_'")
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := q.Where.(*Compare); !ok || c.Value.Str != `%5\%\_\\_` {
		t.Errorf("Like pattern came back as %v", q.Where)
	}
}

func TestParseSearch(t *testing.T) {
	t.Parallel()
	src := "FIND {5551234* AND \\{x\\}} IN Phone FIELDS RETURNING Contact(Id, Name WHERE AccountId != null ORDER BY Name LIMIT 5), " +
		"Account WITH SNIPPET (target_length=120) WITH NETWORK IN ('a', 'b') LIMIT 10"
	s, err := ParseSearch(src)
	if err != nil {
		t.Fatal(err)
	}
	if s.Term != `5551234* AND \{x\}` || s.Scope != ScopePhone || len(s.Returning) != 2 || s.Limit.Value != 10 || len(s.With) != 2 {
		t.Errorf("read wrongly: %+v", s)
	}
	again, err := ParseSearch(s.String())
	if err != nil {
		t.Fatalf("printed as %q: %v", s, err)
	}
	if diff := cmp.Diff(s, again, ignorePlaces()); diff != "" {
		t.Errorf("printing changed the tree:\n%s", diff)
	}
	for _, bad := range []string{"", "FIND", "FIND x", "FIND {x", "FIND {x} IN FOO FIELDS", "FIND {x} RETURNING", "FIND {x} RETURNING A(", "FIND {x} WITH a )"} {
		if _, err := ParseSearch(bad); err == nil {
			t.Errorf("ParseSearch(%q) is accepted", bad)
		}
	}
	for _, v := range []string{"a}b", "x AND y", `\`, `"q"`, "(415) 555-0123"} {
		if _, err := ParseSearch("FIND {" + Term(v) + "}"); err != nil {
			t.Errorf("Term(%q): %v", v, err)
		}
	}
}

func FuzzSOQL(f *testing.F) {
	for _, seed := range []string{
		"SELECT Id, Name n FROM Account WHERE (NOT a = 1) AND b LIKE '%\\%x' ORDER BY c DESC NULLS LAST LIMIT 5 OFFSET 2",
		"SELECT TYPEOF What WHEN Account THEN Phone ELSE Name END FROM Event WHERE a IN (SELECT b FROM c) USING SCOPE mine",
		"SELECT COUNT(Id), FORMAT(MAX(x)) FROM A GROUP BY ROLLUP(a, b) HAVING COUNT(Id) > 1 WITH DATA CATEGORY a AT b",
		"SELECT DISTANCE(L, GEOLOCATION(-1.5, 2), 'mi') FROM A, A.b c WHERE d < 2020-01-01T00:00:00Z",
		"SELECT Contact..FirstName FROM A WHERE x INCLUDES ('a;b') AND y = LAST_N_DAYS:3 AND z > USD5.0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		q, err := Parse(src)
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) || fault.Row < 1 || fault.Col < 1 || fault.Caret() == "" {
				t.Fatalf("a fault without a place: %#v", err)
			}
			return
		}
		if printed := q.String(); len(printed) < MaxLength {
			roundTrip(t, q)
		}
	})
}

func FuzzSOSL(f *testing.F) {
	for _, seed := range []string{
		"FIND {x} IN ALL FIELDS RETURNING Contact(Id WHERE a = 'b'), Account LIMIT 2",
		"FIND {a\\}b} WITH DIVISION = 'x' WITH SNIPPET(target_length = 1) UPDATE TRACKING",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		s, err := ParseSearch(src)
		if err != nil {
			return
		}
		again, err := ParseSearch(s.String())
		if err != nil {
			t.Fatalf("%q printed as %q: %v", src, s, err)
		}
		if diff := cmp.Diff(s, again, ignorePlaces()); diff != "" {
			t.Fatalf("%q: printing changed the tree:\n%s", src, diff)
		}
	})
}
