package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const store = `{"store":{"book":[
 {"category":"reference","author":"Nigel Rees","title":"Sayings","price":8.95,"tags":["a","b"]},
 {"category":"fiction","author":"Evelyn Waugh","title":"Sword","price":12.99,"isbn":"1","tags":[]},
 {"category":"fiction","author":"Herman Melville","title":"Moby Dick","price":"8.99","isbn":null}],
 "bicycle":{"color":"red","price":19.95}},"limit":10,"numbers":[1,2,3,4],"empty":null}`

func run(t *testing.T, path string, mode Mode) (any, error) {
	t.Helper()
	p, err := Parse(path, mode)
	if err != nil {
		return nil, err
	}
	return p.One(decode(t, []byte(store)))
}

func TestJayway(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"$.store.book[0].author":                                              `"Nigel Rees"`,
		"store.book.[0].author":                                               `"Nigel Rees"`,
		"$.store.book[-1].title":                                              `"Moby Dick"`,
		"$..author":                                                           `["Nigel Rees","Evelyn Waugh","Herman Melville"]`,
		"$.store..price":                                                      `[19.95,8.95,12.99,"8.99"]`,
		"$.store.book[0,2].title":                                             `["Sayings","Moby Dick"]`,
		"$.store.book[1:].title":                                              `["Sword","Moby Dick"]`,
		"$.store.book[:1].title":                                              `["Sayings"]`,
		"$.store.book[-2:].title":                                             `["Sword","Moby Dick"]`,
		"$.store.book[?(@.isbn)].title":                                       `["Sword","Moby Dick"]`,
		"$.store.book[?(!@.isbn)].title":                                      `["Sayings"]`,
		"$.store.book[?(@.price < 10)].title":                                 `["Sayings"]`,
		"$.store.book[?(@.price < $.limit)].title":                            `["Sayings"]`,
		"$.store.book[?(@.price == 8.99)].title":                              `["Moby Dick"]`,
		"$.store.book[?(@.price === 8.99)].title":                             `[]`,
		"$.store.book[?(@.isbn == null)].title":                               `["Moby Dick"]`,
		"$.store.book[?(@.author =~ /.*WAUGH/i)].title":                       `["Sword"]`,
		"$.store.book[?(@.author =~ /Waugh/)].title":                          `[]`,
		"$.store.book[?(@.category in ['fiction','x'])].title":                `["Sword","Moby Dick"]`,
		"$.store.book[?(@.category nin ['fiction'])].title":                   `["Sayings"]`,
		"$.store.book[?(@.tags contains 'b')].title":                          `["Sayings"]`,
		"$.store.book[?(@.tags size 2)].title":                                `["Sayings"]`,
		"$.store.book[?(@.tags empty true)].title":                            `["Sword"]`,
		"$.store.book[?(@.tags anyof ['b','z'])].title":                       `["Sayings"]`,
		"$.store.book[?(@.tags subsetof ['a','b','c'])].title":                `["Sayings","Sword"]`,
		"$.store.book[?(@.price > 10 && @.isbn || @.tags size 2)].title":      `["Sayings","Sword"]`,
		"$.store.book[?((@.category=='fiction') && !(@.isbn == null))].title": `["Sword"]`,
		"$.store.book[0]['title','price']":                                    `{"title":"Sayings","price":8.95}`,
		"$.store.book.length()":                                               `3`,
		"$.numbers.sum()":                                                     `10`,
		"$.numbers.max()":                                                     `4`,
		"$.numbers.avg()":                                                     `2.5`,
		"$.numbers.first()":                                                   `1`,
		"$.store.bicycle.keys()":                                              `["color","price"]`,
		"$.sum($.numbers, 5)":                                                 `15`,
		"$.concat($.store.bicycle.color, \"-x\")":                             `"red-x"`,
		"$..book[?(@.price > 10)].title":                                      `["Sword"]`,
		"$.empty":                                                             `null`,
		"$.store.book[*].nope":                                                `[]`,
		"$.numbers[9,0]":                                                      `[1]`,
	} {
		got, err := run(t, path, Jayway)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		// Numbers that a function computes are float64 or int64; those of the document json.Number.
		if diff := cmp.Diff(plain(decode(t, []byte(want))), plain(got)); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
}

func plain(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			out[k] = plain(e)
		}
		return out
	}
	if f, _, _, ok := asNumber(v); ok {
		return f
	}
	return v
}

func TestJaywayErrors(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]error{
		"$.nope":             ErrNotFound,
		"$.nope.x":           ErrNotFound,
		"$.nope[*]":          ErrNotFound,
		"$.empty.x":          ErrNotFound,
		"$.limit.x":          ErrNotFound,
		"$.store[0]":         ErrNotFound,
		"$.numbers[9]":       ErrNotFound,
		"$.numbers.index(9)": ErrFunction,
		"$.store.book.sum()": ErrFunction,
	} {
		if got, err := run(t, path, Jayway); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v, want %v", path, got, err, want)
		}
	}
	for _, path := range []string{"", "$.", "$..", "$x", "$.a b", "$['a'", "$[a]", "$.a[", "$...a", "$[?(@.a ==)]", "$[?(@.a]", "$.a.nofn()", "$['a',]", "$[1,]"} {
		var bad *SyntaxError
		if _, err := run(t, path, Jayway); !errors.As(err, &bad) {
			t.Errorf("%q: %v, want a SyntaxError", path, err)
		}
	}
}

func TestStrictFix(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"$.records.[0].Id":                      "$.records[0].Id",
		"value[0].x":                            "$.value[0].x",
		"[0].id":                                "$[0].id",
		"$.[0].name":                            "$[0].name",
		"$.a-b":                                 "$['a-b']",
		"$.@odata.x":                            "$['@odata'].x",
		" $.a ":                                 "$.a",
		"$.r.[?(@.Name=='Acme' && @.n > 3)].Id": "$.r[?@.Name == 'Acme' && @.n > 3].Id",
		"$.records.length()":                    "",
		"$.a.[?(@.x =~ /y/)]":                   "",
		"$.a b":                                 "",
	} {
		_, err := Parse(path, Strict)
		var bad *SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v, want a SyntaxError", path, err)
			continue
		}
		if bad.Fix != want {
			t.Errorf("%s: fix %q, want %q", path, bad.Fix, want)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"$.a[0]['b\\'c']": `$['a'][0]['b\'c']`,
		"$..*":            "$..[*]",
		"$[1:5:2, ::-1]":  "$[1:5:2,::-1]",
		"$[?@.a]":         "$[?]",
	} {
		p, err := Parse(path, Strict)
		if err != nil || p.String() != want {
			t.Errorf("%s: %v, %v", path, p, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	wide := make([]any, 2000)
	for i := range wide {
		wide[i] = float64(i)
	}
	var deep any = "x"
	for range 5000 {
		deep = []any{deep}
	}
	for path, doc := range map[string]any{
		"$[?count($[*]) > 0]":   wide,
		"$..[?count($..*) > 0]": wide,
		"$..x":                  deep,
		"$[?@ == $[0]]":         []any{deep, deep},
	} {
		p, err := Parse(path, Strict)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _, err := p.Query(doc); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", path, err)
		}
	}
	for _, path := range []string{strings.Repeat("$", MaxSource+1), "$[?" + strings.Repeat("(", 1000) + "@" + strings.Repeat(")", 1000) + "]"} {
		for _, mode := range []Mode{Strict, Jayway} {
			if _, err := Parse(path, mode); err == nil {
				t.Errorf("%.20s: no error", path)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"$", "$.a.b[0]", "$..*", "$[1:5:2]", "$['a',\"b\"]", "$[?@.a == 'x' && !(@.b > 1)]", "$[?match(@.a, 'a.*[b-c]')]",
		"$[?length(@.a) >= count(@.*)]", "$.records.[0].Id", "value[0].x", "$.a.[?(@.b =~ /x.*/i)].c", "$.sum($.numbers, 5)",
		"$..book[?(@.tags in ['a'])].length()", "$['\\u00e9\\uD83D\\uDE00']", "@.x", "$[-1:]", "$[?(@.a size 2 || @['b c'])]",
	} {
		f.Add(s)
	}
	doc := decode(f, []byte(store))
	f.Fuzz(func(t *testing.T, src string) {
		for _, mode := range []Mode{Strict, Jayway} {
			p, err := Parse(src, mode)
			if err != nil {
				var bad *SyntaxError
				if !errors.As(err, &bad) || bad.Pos < 0 || bad.Pos > len(src) {
					t.Fatalf("error %#v", err)
				}
				if bad.Fix != "" {
					if _, err := Parse(bad.Fix, mode); err != nil {
						t.Fatalf("the fix %q is refused: %v", bad.Fix, err)
					}
				}
				continue
			}
			_ = p.String()
			if out, err := p.Query(doc); err == nil && mode == Strict && p.Definite() && len(out) > 1 {
				t.Fatalf("a definite path gave %d values", len(out))
			}
		}
	})
}

func BenchmarkOne(b *testing.B) {
	doc := decode(b, []byte(store))
	for name, path := range map[string]string{"member": "$.store.book[0].title", "filter": "$.store.book[?(@.price < 10)].title"} {
		b.Run(name, func(b *testing.B) {
			p, err := Parse(path, Jayway)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.One(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
