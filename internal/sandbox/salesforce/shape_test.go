package salesforce

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// shapeOf compares an answer with a pattern of it and returns what is wrong, "" if nothing: the answer has all members of the
// pattern's objects, of the same types; a text of the pattern that is not empty is a regular expression for the whole text;
// an array of the pattern that is not empty says of what kind all elements are, of which there must be some; null is anything.
func shapeOf(pattern, body string) string {
	var want, got any
	if err := json.Unmarshal([]byte(pattern), &want); err != nil {
		return "the pattern is no JSON: " + err.Error()
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return "the answer is no JSON: " + err.Error()
	}
	return misfit("", want, got)
}

func misfit(at string, want, got any) string {
	switch w := want.(type) {
	case nil:
		return ""
	case map[string]any:
		g, isObject := got.(map[string]any)
		if !isObject {
			return fmt.Sprintf("%s is no object: %v", at, got)
		}
		for k, v := range w {
			member, found := g[k]
			if !found {
				return at + "." + k + " is missing"
			}
			if bad := misfit(at+"."+k, v, member); bad != "" {
				return bad
			}
		}
		return ""
	case []any:
		g, isList := got.([]any)
		if !isList || len(w) > 0 && len(g) == 0 {
			return fmt.Sprintf("%s is no list, or an empty one: %v", at, got)
		}
		for i, v := range g {
			if len(w) == 0 {
				break
			}
			if bad := misfit(fmt.Sprintf("%s[%d]", at, i), w[min(i, len(w)-1)], v); bad != "" {
				return bad
			}
		}
		return ""
	case string:
		g, isText := got.(string)
		if !isText || w != "" && !regexp.MustCompile("^(?s:"+w+")$").MatchString(g) {
			return fmt.Sprintf("%s is not like %q: %v", at, w, got)
		}
		return ""
	}
	if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return fmt.Sprintf("%s is a %T, not a %T: %v", at, got, want, got)
	}
	return ""
}

func TestShapeOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, body, want string }{
		{`{"a":1,"b":[{"c":""}],"d":null}`, `{"a":2,"b":[{"c":"x"},{"c":"y","z":1}],"d":[],"e":1}`, ""},
		{`{"a":1}`, `{"b":1}`, ".a is missing"},
		{`{"a":1}`, `{"a":"1"}`, ".a is a string"},
		{`{"a":[""]}`, `{"a":[]}`, ".a is no list, or an empty one"},
		{`{"a":["",1]}`, `{"a":["x",2,"y"]}`, ".a[2] is a string"},
		{`{"a":"\\d+"}`, `{"a":"12"}`, ""},
		{`{"a":"\\d+"}`, `{"a":"12x"}`, ".a is not like"},
		{`{"a":true}`, `{"a":null}`, ".a is a <nil>"},
		{`[{"a":""}]`, `{"a":""}`, " is no list"},
		{`{}`, `[`, "the answer is no JSON"},
	} {
		if got := shapeOf(c.pattern, c.body); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s of %s: %q, want %q", c.pattern, c.body, got, c.want)
		}
	}
}
