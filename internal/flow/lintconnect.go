package flow

import (
	"regexp"
	"slices"
	"strings"
)

// connectNamespaces are what references of Amazon Connect may begin with ("List of available contact attributes").
var connectNamespaces = []string{
	"AdditionalEmailRecipients", "Agent", "AnsweringMachineDetectionStatus", "Attributes", "AwsRegion", "Campaign", "Capabilities", "Case", "Channel", "ContactData", "ContactId",
	"Customer", "CustomerCallBackPhoneNumber", "CustomerEndpoint", "CustomerId", "Description", "Email", "External", "FlowAttributes", "InitialContactId", "InitiationMethod",
	"InstanceARN", "LanguageCode", "Lex", "Loop", "Media", "MediaStreams", "Metrics", "Modules", "Name", "PreviousContactId", "Queue", "References",
	"RelatedContactId", "SegmentAttributes", "StoredCustomerInput", "Subtype", "SystemEndpoint", "Tags", "Task", "TaskTemplate", "TextToSpeechVoiceId", "Views", "Wisdom",
}

var (
	queryText   = regexp.MustCompile(`(?is)\bselect\b.+\bfrom\b`)
	looseName   = regexp.MustCompile(`^[^\[\]'"$]+$`)
	mixedFields = regexp.MustCompile(`(^|[.\]])(Text|SSML)$|ViewData|FlowAttributes|LambdaInvocationAttributes`)
)

// dynamic checks a dynamic value of Amazon Connect: that its references can be read, and that their namespaces exist.
func (l *linter) dynamic(n *Node, v Value) {
	src := v.Src
	spans := ConnectSpans(src)
	for _, at := range strayReferences(src, spans) {
		p := l.add(n, v.Field, at, RulePath, "this is no reference: a name must follow, as in $.Attributes.name or $.Attributes['a name']")
		p.Fix = "complete the reference, or write the text without $."
	}
	for _, s := range spans {
		l.namespace(n, v, s)
	}
	if len(spans) > 0 && spans[0].Start == 0 && spans[0].End < len(src) && !mixedFields.MatchString(v.Field) {
		s := spans[0]
		p := l.add(n, v.Field, s.End, RulePath, "a field that holds a reference holds nothing else; what follows is not part of its name")
		p.replacement(wholeReference(src, s), "write names with other characters as ['a name']")
	}
	if len(spans) > 0 && queryText.MatchString(src) {
		p := l.add(n, v.Field, spans[0].Start, RuleInjection, "a value goes into a query as it is: a quote in it changes what the query means")
		p.Fix = "hand the value over as a parameter of its own and let the function build the query"
	}
}

// strayReferences are the places of "$." and "$[" that begin no reference.
func strayReferences(src string, spans []ConnectSpan) []int {
	var out []int
	for i := 0; i+1 < len(src); i++ {
		if src[i] != '$' || src[i+1] != '.' && src[i+1] != '[' {
			continue
		}
		if !slices.ContainsFunc(spans, func(s ConnectSpan) bool { return s.Start == i }) {
			out = append(out, i)
		}
	}
	return out
}

// wholeReference quotes the last name of a reference so that it covers the whole text; "" if it cannot.
func wholeReference(src string, s ConnectSpan) string {
	last := s.Names[len(s.Names)-1]
	at := strings.LastIndex(src[:s.End], "."+last)
	if at < 1 || len(s.Names) < 2 || !looseName.MatchString(src[at+1:]) || strings.HasPrefix(src[s.End:], ".") || strings.HasSuffix(src, " ") {
		return ""
	}
	return src[:at] + "['" + src[at+1:] + "']"
}

func (l *linter) namespace(n *Node, v Value, s ConnectSpan) {
	root := s.Names[0]
	if slices.Contains(connectNamespaces, root) {
		return
	}
	p := l.add(n, v.Field, s.Start, RulePath, "there is no namespace "+root+": the reference is always empty")
	fixed := ""
	for _, name := range connectNamespaces {
		if strings.EqualFold(name, root) && strings.HasPrefix(v.Src[s.Start:], "$."+root) {
			fixed = v.Src[:s.Start+2] + name + v.Src[s.Start+2+len(root):]
		}
	}
	p.replacement(fixed, "name one of the namespaces, e.g. $.Attributes."+root)
}
