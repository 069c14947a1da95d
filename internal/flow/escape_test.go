package flow_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tandemcc/tandem/internal/flow"
)

// request renders one HTTP node with the variable v.
func request(t testing.TB, in map[string]flow.Value, v string, raw bool) *flow.HTTP {
	t.Helper()
	f := build([]flow.Var{{Name: "v", Type: flow.TypeString}, {Name: "n", Type: flow.TypeInteger, Value: "3"}, {Name: "base", Type: flow.TypeString, Value: "https://x.example/api"}},
		node("start", flow.OpStart, nil, "ok", "H"), node("H", flow.OpHTTP, in))
	f.Options.RawInterpolation = raw
	return start(t, f, map[string]any{"v": v}).want(flow.CmdHTTP).HTTP
}

// Values in an address are encoded for the place they stand in; the literal text stays as its author encoded it.
func TestSafeURL(t *testing.T) {
	tests := []struct{ name, src, v, want string }{
		{"literal stays", "/q?q=a+b%27%25c&x={{v}}", "1", "/q?q=a+b%27%25c&x=1"},
		{"path segment", "/p/{{v}}/x", "a/b?c#d e", "/p/a%2Fb%3Fc%23d%20e/x"},
		{"dots in the path", "/p/{{v}}/x", "..", "/p/%252E%252E/x"},
		{"query value", "/p?a={{v}}&b=1", "1&b=2 +%", "/p?a=1%26b%3D2%20%2B%25&b=1"},
		{"already encoded by the author", "/p?a={{ v | urlencode }}", "+1 555", "/p?a=%2B1%20555"},
		{"base address", "{{ base }}/p/{{v}}", "x y", "https://x.example/api/p/x%20y"},
		{"host", "https://{{v}}.example/p", "evil.com/?", "https://evil.com%2F%3F.example/p"},
		{"SOQL string", "/q?q=SELECT+Id+FROM+A+WHERE+N=%27{{v}}%27", `O'Brien \`, `/q?q=SELECT+Id+FROM+A+WHERE+N=%27O%5C%27Brien%20%5C%5C%27`},
		{"SOQL string, other letters", "/q?q=select%20Id%20from%20A%20where%20N='{{v}}'", `x' OR N!='`, `/q?q=select%20Id%20from%20A%20where%20N='x%5C%27%20OR%20N%21%3D%5C%27'`},
		{"SOQL LIKE", "/q?q=SELECT+Id+FROM+A+WHERE+Phone+LIKE+%27%25{{v}}%25%27", `50%_'`, `/q?q=SELECT+Id+FROM+A+WHERE+Phone+LIKE+%27%2550%5C%25%5C_%5C%27%25%27`},
		{"SOQL LIKE, then equal", "/q?q=SELECT+Id+FROM+A+WHERE+P+LIKE+%27{{n}}%27+AND+N=%27{{v}}%27", `a_b`, `/q?q=SELECT+Id+FROM+A+WHERE+P+LIKE+%273%27+AND+N=%27a_b%27`},
		{"SOQL outside quotes", "/q?q=SELECT+Id+FROM+A+LIMIT+{{v}}", `1 OR 'x'`, `/q?q=SELECT+Id+FROM+A+LIMIT+1ORx`},
		{"SOQL, urlencode alone", "/q?q=SELECT+Id+FROM+A+WHERE+N=%27{{ v | urlencode }}%27", `a'b`, `/q?q=SELECT+Id+FROM+A+WHERE+N=%27a%5C%27b%27`},
		{"SOQL, escaped by the author", `/q?q=SELECT+Id+FROM+A+WHERE+N=%27{{ v | urlencode | replace({"%5C": "%5C%5C"}) | replace({"%27": "%5C%27"}) }}%27`, `a'b\`, `/q?q=SELECT+Id+FROM+A+WHERE+N=%27a%5C%27b%5C%5C%27`},
		{"parameter after SOQL", "/q?q=SELECT+Id+FROM+A&x={{v}}", "a'b", "/q?q=SELECT+Id+FROM+A&x=a%27b"},
		{"OData", "c?$filter=contains(t,'{{v}}')", "O'B", "c?$filter=contains(t,'O%27%27B')"},
		{"literal that no URL may hold", "/p?q=a b\"<{{v}}>%zz", "1", "/p?q=a%20b%22%3C1%3E%25zz"},
		{"tags", "/p?a={% if v == \"x\" %}{{ v }}{% else %}{{ v }}&c{% endif %}", "a&b", "/p?a=a%26b&c"},
	}
	for _, tt := range tests {
		if got := request(t, map[string]flow.Value{"path": pebble(tt.src), "connector": flow.Lit("c")}, tt.v, false).Path; got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Values in a body are escaped for its content type.
func TestSafeBody(t *testing.T) {
	tests := []struct{ name, ct, src, v, want string }{
		{"JSON string", "Application/JSON", `{"a":"x {{v}} y"}`, "q\"\\\n", `{"a":"x q\"\\\n y"}`},
		{"JSON string, escaped quote before", "Application/JSON", `{"a":"\"{{v}}"}`, `"`, `{"a":"\"\""}`},
		{"JSON number", "Application/JSON", `{"a":{{n}}}`, "", `{"a":3}`},
		{"JSON element that is a text", "Application/JSON", `{"a":{{v}}}`, `1,"b":2`, `{"a":"1,\"b\":2"}`},
		{"JSON element that is a document", "Application/JSON", `{"a":{{v}}}`, `{"x":[1]}`, `{"a":{"x":[1]}}`},
		{"JSON, no content type", "", "{\n\"a\":\"{{v}}\"}", `"`, "{\n\"a\":\"\\\"\"}"},
		{"JSON, escaped by the author", "JSON", `{"a":"{{ v | escape(strategy="json") }}"}`, `"`, `{"a":"\""}`},
		{"line break after a value", "JSON", "{\"a\":{{n}}\n}", "", "{\"a\":3}"},
		{"form", "application/x-www-form-urlencoded", "a={{v}}&b=1", "x&b=2", "a=x%26b%3D2&b=1"},
		{"XML", "application/xml", "<a b='{{v}}'/>", `<'&`, "<a b='&lt;&apos;&amp;'/>"},
		{"text", "text/plain", "{{v}}", `"<`, `"<`},
	}
	for _, tt := range tests {
		in := map[string]flow.Value{"url": flow.Lit("https://x.example"), "body": pebble(tt.src), "contentType": flow.Lit(tt.ct)}
		if got := request(t, in, tt.v, false).Body; got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestSafeHeaderAndQuery(t *testing.T) {
	in := map[string]flow.Value{
		"url":     flow.Lit("https://x.example"),
		"headers": {Map: map[string]flow.Value{"Authorization": pebble("Bearer {{v}}"), "Accept": flow.Lit("a/b")}},
		"query":   {Map: map[string]flow.Value{"q": pebble("SELECT Id FROM A WHERE N = '{{v}}'"), "name": pebble("type:user {{v}}")}},
	}
	h := request(t, in, "a'b\r\nX: y", false)
	if h.Headers[0] != (flow.Pair{Name: "Accept", Value: "a/b"}) || h.Headers[1].Value != "Bearer a'bX: y" {
		t.Errorf("headers %+v", h.Headers)
	}
	if h.Query[0].Value != "type:user a'b\r\nX: y" || h.Query[1].Value != `SELECT Id FROM A WHERE N = 'a\'b\r\nX: y'` {
		t.Errorf("query %q", h.Query)
	}
}

// A flow can turn safe interpolation off.
func TestRawInterpolation(t *testing.T) {
	in := map[string]flow.Value{"url": pebble("https://x.example/{{v}}"), "body": pebble(`{"a":"{{v}}"}`), "contentType": flow.Lit("JSON")}
	if h := request(t, in, `"/?`, true); h.URL != `https://x.example/"/?` || h.Body != `{"a":""/?"}` {
		t.Errorf("request %+v", h)
	}
}

// Whatever a value holds, it stays one parameter, one path segment, one SOQL string and one JSON string.
func TestSafeInterpolationProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(`'"\%_/?#&+= .:;<>{}`)), rapid.Rune())).Draw(rt, "v")
		if flow.Unset(v) || strings.ContainsRune(v, '�') {
			return
		}
		in := map[string]flow.Value{
			"url": pebble("https://x.example/a/{{v}}/b?q=SELECT+Id+FROM+A+WHERE+N=%27{{v}}%27&p={{v}}"), "body": pebble(`{"a":"{{v}}"}`),
			"contentType": flow.Lit("Application/JSON"),
		}
		h := request(t, in, v, false)
		u, err := url.Parse(h.URL)
		if err != nil {
			rt.Fatalf("%q is no URL: %v", h.URL, err)
		}
		if u.Host != "x.example" || strings.Count(u.EscapedPath(), "/") != 3 || u.Query().Get("p") != v || len(u.Query()) != 2 {
			rt.Fatalf("%q changed the address %q", v, h.URL)
		}
		q := u.Query().Get("q")
		inner := strings.TrimSuffix(strings.TrimPrefix(q, "SELECT Id FROM A WHERE N='"), "'")
		for i := 0; i < len(inner); i++ {
			switch inner[i] {
			case '\\':
				i++
			case '\'':
				rt.Fatalf("%q leaves its SOQL string: %s", v, q)
			}
		}
		var doc map[string]string
		if err := json.Unmarshal([]byte(h.Body), &doc); err != nil || doc["a"] != v {
			rt.Fatalf("%q gives the body %s", v, h.Body)
		}
	})
}
