package connect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/tandemcc/tandem/internal/flow"
)

// templateMark is what a CloudFormation template with a flow says somewhere.
const templateMark = "AWS::Connect::ContactFlow"

// maxTemplateDepth is how deep the values of a template may be nested.
const maxTemplateDepth = 100

// embedded is a flow within a template.
type embedded struct {
	name, content string
}

// isTemplate reports whether a file looks like a CloudFormation template with flows, in JSON or YAML.
func isTemplate(data []byte) bool {
	return bytes.Contains(data, []byte(templateMark)) && bytes.Contains(data, []byte("Resources"))
}

// importTemplate reads the flow of a CloudFormation template that holds one. What a template fills in (Ref, Fn::Sub) stays
// as ${X}, which the import reports as references.
func importTemplate(data []byte) (*flow.Flow, *flow.Report, error) {
	list, err := templateFlows(data)
	if err != nil {
		return nil, nil, err
	}
	if len(list) != 1 {
		names := make([]string, len(list))
		for i, e := range list {
			names[i] = e.name
		}
		return nil, nil, fmt.Errorf("the template holds %d flows (%s): put the Content of one of them into a file of its own", len(list), strings.Join(names, ", "))
	}
	content := []byte(list[0].content)
	doc, err := decode(content)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("the Content of %s in the template is not JSON: %w", list[0].name, err)
	case isLegacy(doc):
		return LegacyImporter{}.Import(content)
	case !isFlow(doc):
		return nil, nil, fmt.Errorf("the Content of %s in the template has no Actions with a StartAction", list[0].name)
	}
	return read(doc, content, Format, cmp.Or(doc.obj("Metadata").text("name"), list[0].name), nil)
}

// templateFlows are the flows and modules among a template's resources, in the order of their logical names.
func templateFlows(data []byte) ([]embedded, error) {
	var root yaml3.Node // YAML holds JSON
	if err := yaml3.Unmarshal(data, &root); err != nil {
		return nil, errors.New("the template is neither JSON nor YAML that can be read")
	}
	if len(root.Content) == 0 {
		return nil, errors.New("the template is empty")
	}
	top := asProps(templateValue(root.Content[0], 0))
	resources := asProps(top["Resources"])
	var out []embedded
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		r := resources.obj(id)
		if !strings.HasPrefix(r.text("Type"), templateMark) {
			continue
		}
		p := r.obj("Properties")
		content := templateText(p["Content"])
		if o := asProps(p["Content"]); content == "" && o != nil {
			content = anyText(map[string]any(o))
		}
		out = append(out, embedded{cmp.Or(templateText(p["Name"]), id), content})
	}
	if len(out) == 0 {
		return nil, errors.New("the template holds no flow among its Resources")
	}
	return out, nil
}

// templateValue decodes a node. The short tags of CloudFormation (!Sub) become what they are short for ({"Fn::Sub": ...}).
func templateValue(n *yaml3.Node, depth int) any {
	if depth > maxTemplateDepth {
		return nil
	}
	var v any
	switch n.Kind {
	case yaml3.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = templateValue(n.Content[i+1], depth+1)
		}
		v = m
	case yaml3.SequenceNode:
		l := make([]any, len(n.Content))
		for i, x := range n.Content {
			l[i] = templateValue(x, depth+1)
		}
		v = l
	case yaml3.ScalarNode:
		v = n.Value
	default: // templates have no anchors: CloudFormation refuses them
		return nil
	}
	switch tag := n.Tag; {
	case tag == "!Ref":
		return map[string]any{"Ref": v}
	case strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!"):
		return map[string]any{"Fn::" + tag[1:]: v}
	}
	return v
}

// templateText is a text with what is to be filled in as ${X}; "" for what is no text.
func templateText(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case map[string]any:
		for name, arg := range t {
			if len(t) == 1 {
				return templateFunction(name, arg)
			}
		}
	}
	return ""
}

func templateFunction(name string, arg any) string {
	list, _ := arg.([]any)
	switch name {
	case "Ref":
		return "${" + scalar(arg) + "}"
	case "Fn::GetAtt":
		if list == nil {
			return "${" + scalar(arg) + "}"
		}
		parts := make([]string, len(list))
		for i, x := range list {
			parts[i] = scalar(x)
		}
		return "${" + strings.Join(parts, ".") + "}"
	case "Fn::Sub":
		if len(list) > 0 {
			return templateText(list[0])
		}
		return templateText(arg)
	case "Fn::Join":
		if len(list) != 2 {
			return ""
		}
		items, _ := list[1].([]any)
		parts := make([]string, len(items))
		for i, x := range items {
			parts[i] = templateText(x)
		}
		return strings.Join(parts, scalar(list[0]))
	}
	return "" // other functions make no flow
}
