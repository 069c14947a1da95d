package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// query matches the beginning of a SOQL query or a SOSL search.
var query = regexp.MustCompile(`(?is)^\s*(SELECT\s.+\sFROM\s|FIND\s*\{)`)

// speaksSQL are the packages whose queries are SQL with bound parameters, the one that is there to write SOQL, and the
// tests and the load that stand for programs of others.
var speaksSQL = []string{"internal/sqlstore/", "internal/sandbox/", "internal/soql/", "test/e2e/durability/", "test/clients/", "bench/sandbox/"}

// TestNoStringsJoinedIntoSOQL: a query of the CRM is put together by the soql package, which quotes what is not a constant. A text
// that begins like a query and is joined or formatted with something else is a mistake, in tests too.
func TestNoStringsJoinedIntoSOQL(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		name := strings.TrimPrefix(filepath.ToSlash(path), "../../")
		for _, p := range speaksSQL {
			if strings.HasPrefix(name, p) {
				return nil
			}
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		for _, pos := range joined(f) {
			t.Errorf("%s:%d joins strings into a query: use soql.Build or soql.FindPhone", name, fset.Position(pos).Line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
}

// joined returns where a query's text is joined with something that is no constant text.
func joined(f *ast.File) (out []token.Pos) {
	inner := map[ast.Node]bool{} // parts of an expression that was looked at
	ast.Inspect(f, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.BinaryExpr:
			if e.Op != token.ADD || inner[e] {
				return true
			}
			var text strings.Builder
			other := false
			flatten(e, inner, func(part ast.Expr) {
				if s, ok := literal(part); ok {
					text.WriteString(s)
				} else {
					other = true
					text.WriteString(" x ")
				}
			})
			if other && query.MatchString(text.String()) {
				out = append(out, e.Pos())
			}
		case *ast.CallExpr:
			if pos, ok := formatted(e); ok {
				out = append(out, pos)
			}
		case *ast.AssignStmt: // q += value
			if e.Tok == token.ADD_ASSIGN && len(e.Rhs) == 1 {
				if s, ok := literal(e.Rhs[0]); ok && query.MatchString(s) {
					out = append(out, e.Pos())
				}
			}
		}
		return true
	})
	return out
}

// flatten calls each with the operands of a sum of texts, in order.
func flatten(e ast.Expr, inner map[ast.Node]bool, each func(ast.Expr)) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		flatten(x.X, inner, each)
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			inner[x] = true
			flatten(x.X, inner, each)
			flatten(x.Y, inner, each)
			return
		}
		each(x)
	default:
		each(e)
	}
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// formatted reports a call that puts values into a query's text: fmt.Sprintf and its like, strings.Replace and strings.Join.
func formatted(call *ast.CallExpr) (token.Pos, bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return 0, false
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || pkg.Name != "fmt" && pkg.Name != "strings" {
		return 0, false
	}
	for i, arg := range call.Args {
		s, ok := literal(arg)
		if !ok || !query.MatchString(s) {
			continue
		}
		switch {
		case pkg.Name == "fmt" && strings.Contains(strings.ReplaceAll(s, "%%", ""), "%") && i+1 < len(call.Args),
			pkg.Name == "fmt" && strings.HasPrefix(sel.Sel.Name, "Sprint") && !strings.HasSuffix(sel.Sel.Name, "f") && len(call.Args) > 1,
			strings.HasPrefix(sel.Sel.Name, "Replace"):
			return arg.Pos(), true
		}
	}
	return 0, false
}

// TestJoinedIsFound: the search finds what it is there for, and lets constants and builders be.
func TestJoinedIsFound(t *testing.T) {
	for src, want := range map[string]int{
		`"SELECT Id FROM Contact WHERE Name = '" + name + "'"`:                 1,
		`"SELECT " + fields + " FROM Contact"`:                                 1,
		`("SELECT Id FROM Contact " + "WHERE Id = ") + id`:                     1,
		`fmt.Sprintf("SELECT Id FROM Contact WHERE Name = '%s'", name)`:        1,
		`strings.ReplaceAll("SELECT Id FROM Contact WHERE Id = '?'", "?", id)`: 1,
		`"FIND {" + number + "} IN PHONE FIELDS"`:                              1,
		"`\nselect id\nfrom Case where Subject like '` + s":                    1,
		`"SELECT Id FROM Contact " + "LIMIT 1"`:                                0,
		`"SELECT Id FROM Contact WHERE Name LIKE 'a%'"`:                        0,
		`soql.Build("Contact").Select("Id").Where("Name", "=", name)`:          0,
		`"select one of them from the list: " + "a"`:                           0,
		`url.Values{"q": {"SELECT COUNT() FROM CaseComment"}}`:                 0,
		`fmt.Sprintf("%d found: SELECT and FROM", n)`:                          0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nvar q = "+src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(joined(f)); got != want {
			t.Errorf("%s: found %d, want %d", src, got, want)
		}
	}
}
