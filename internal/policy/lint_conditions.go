package policy

import (
	"fmt"
	"slices"
	"strings"
)

// forAllValues finds set operators that a request without the key satisfies.
func (l *linter) forAllValues() {
	if l.s.Effect != Allow {
		return
	}
	for i := range l.s.Conditions {
		c := &l.s.Conditions[i]
		op, fix := parseOperator(c.Operator)
		if fix != "" || op.set != forAllValues || l.guarded(c.Key) {
			continue
		}
		l.report(Error, "forallvalues-allow", c.Path, "ForAllValues also holds when the request has no "+c.Key+" or an empty one: then the statement allows",
			fmt.Sprintf(`add "Null": {%q: "false"} to the Condition`, c.Key))
	}
}

// guarded reports whether the statement demands that the key is there.
func (l *linter) guarded(key string) bool {
	for _, c := range l.find(key) {
		op, fix := parseOperator(c.Operator)
		if fix != "" {
			continue
		}
		if op.family == familyNull && len(c.Values) == 1 && strings.EqualFold(c.Values[0], "false") {
			return true
		}
		if op.set == forAnyValue {
			return true
		}
	}
	return false
}

// keyTypes are the keys whose values are not plain text (IAM User Guide, "AWS global condition context keys"; KMS
// Developer Guide, "Condition keys").
var keyTypes = map[string]family{
	"aws:securetransport":                familyBool,
	"aws:multifactorauthpresent":         familyBool,
	"aws:viaawsservice":                  familyBool,
	"aws:principalisawsservice":          familyBool,
	"kms:grantisforawsresource":          familyBool,
	"kms:bypasspolicylockoutsafetycheck": familyBool,
	"kms:reencryptonsamekey":             familyBool,
	"aws:currenttime":                    familyDate,
	"aws:tokenissuetime":                 familyDate,
	"aws:epochtime":                      familyDate,
	"aws:multifactorauthage":             familyNumeric,
	"s3:max-keys":                        familyNumeric,
	"s3:signatureage":                    familyNumeric,
	"aws:sourceip":                       familyIP,
	"aws:vpcsourceip":                    familyIP,
	"aws:sourcearn":                      familyARN,
	"aws:principalarn":                   familyARN,
	"ec2:sourceinstancearn":              familyARN,
}

// multiValued are the keys that hold any number of values.
var multiValued = []string{
	"aws:calledvia", "aws:tagkeys", "aws:principalorgpaths", "aws:sourceorgpaths", "aws:resourceorgpaths",
	"aws:principalservicenameslist", "kms:grantoperations", "kms:encryptioncontextkeys", "dynamodb:attributes",
	"dynamodb:leadingkeys", "sts:transitivetagkeys", "iam:resourcetagkeys",
}

func (l *linter) conditionTypes() {
	for i := range l.s.Conditions {
		c := &l.s.Conditions[i]
		op, fix := parseOperator(c.Operator)
		if fix != "" || op.family == familyNull {
			continue
		}
		l.conditionType(c, op)
		lower := strings.ToLower(c.Key)
		if op.set == one && slices.Contains(multiValued, lower) {
			l.report(Error, "set-operator-missing", c.Path, c.Key+" has several values, so "+c.Operator+" never matches",
				"write ForAnyValue:"+op.base+", or ForAllValues:"+op.base+" with a Null guard")
		}
	}
}

func (l *linter) conditionType(c *Condition, op operator) {
	want, known := keyTypes[strings.ToLower(c.Key)]
	if !known || op.family == want {
		return
	}
	text := op.family == familyString || op.family == familyFold || op.family == familyLike
	switch {
	case want == familyBool:
		l.report(Warning, "bool-operator", c.Path, fmt.Sprintf("%s on %s compares a truth value as text", c.Operator, c.Key),
			fmt.Sprintf(`write "Bool": {%q: "true"} or "false"`, c.Key))
	case want == familyARN && text:
		l.report(Info, "arn-operator", c.Path, fmt.Sprintf("%s on %s lets a * run across the parts of an ARN", c.Operator, c.Key), "write ArnLike")
	case want == familyDate && op.family == familyNumeric && strings.EqualFold(c.Key, "aws:EpochTime"):
	case want == familyIP && strings.Contains(strings.Join(c.Values, ","), "/"):
		l.report(Error, "operator-type", c.Path, fmt.Sprintf("%s compares the block as text and never matches an address", c.Operator), "write IpAddress or NotIpAddress")
	default:
		names := map[family]string{familyDate: "Date", familyNumeric: "Numeric", familyIP: "IpAddress", familyARN: "Arn"}
		l.report(Warning, "operator-type", c.Path, fmt.Sprintf("%s is not the operator for the type of %s", c.Operator, c.Key),
			"write one of the "+names[want]+" operators")
	}
}

// globalKeys are the global condition keys (IAM User Guide, "AWS global condition context keys").
var globalKeys = []string{
	"aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:chatbotsourcearn", "aws:currenttime", "aws:ec2instancesourceprivateipv4",
	"aws:ec2instancesourcevpc", "aws:epochtime", "aws:federatedprovider", "aws:isfromawsmobileapp", "aws:multifactorauthage",
	"aws:multifactorauthpresent", "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice", "aws:principalorgid",
	"aws:principalorgpaths", "aws:principalservicename", "aws:principalservicenameslist", "aws:principaltype", "aws:referer",
	"aws:requestedregion", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths", "aws:securetransport",
	"aws:sourceaccount", "aws:sourcearn", "aws:sourceidentity", "aws:sourceip", "aws:sourceorgid", "aws:sourceorgpaths",
	"aws:sourcevpc", "aws:sourcevpce", "aws:sourcevpcarn", "aws:ssminstancesourcearn", "aws:tagkeys", "aws:tokenissuetime", "aws:useragent",
	"aws:userid", "aws:username", "aws:viaawsservice", "aws:viaawsmcpservice", "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths", "aws:vpcsourceip",
	"aws:assumedroot", "aws:signintime",
}

// unknownKeys finds misspelt global keys, which no request ever has.
func (l *linter) unknownKeys() {
	for i := range l.s.Conditions {
		c := &l.s.Conditions[i]
		lower := strings.ToLower(c.Key)
		tag := strings.HasPrefix(lower, "aws:principaltag/") || strings.HasPrefix(lower, "aws:requesttag/") || strings.HasPrefix(lower, "aws:resourcetag/")
		if !strings.HasPrefix(lower, "aws:") || tag || slices.Contains(globalKeys, lower) {
			continue
		}
		fix := "look the key up in the list of global condition keys"
		best := 3
		for _, known := range globalKeys {
			if d := distance(lower, known, best); d < best {
				best, fix = d, "did you mean "+known+"?"
			}
		}
		l.report(Warning, "unknown-key", c.Path, c.Key+" is not a global condition key, so no request has it", fix)
	}
}

// distance is the number of edits between two short texts, or limit if it is not below it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 128 {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// literalWildcards finds * and ? under operators that take them literally.
func (l *linter) literalWildcards() {
	for i := range l.s.Conditions {
		c := &l.s.Conditions[i]
		op, fix := parseOperator(c.Operator)
		if fix != "" || op.family != familyString && op.family != familyFold {
			continue
		}
		tokens := 0
		for _, v := range c.Values {
			parsed, err := parseTemplate(v, true, true)
			if err == nil && slices.ContainsFunc(parsed, func(t token) bool { return t.kind == tokenStar || t.kind == tokenOne }) {
				tokens++
			}
		}
		if tokens > 0 {
			l.report(Warning, "literal-wildcard", c.Path, c.Operator+" takes * and ? literally", "write StringLike or StringNotLike, or ${*} to mean the character")
		}
	}
}

func (l *linter) uselessParts() {
	for i := range l.s.Conditions {
		c := &l.s.Conditions[i]
		op, fix := parseOperator(c.Operator)
		if fix != "" {
			continue
		}
		if op.set != one && op.ifExists {
			l.report(Warning, "useless-ifexists", c.Path, "IfExists has no effect together with ForAnyValue or ForAllValues", "leave it out")
		}
		if op.family == familyBool && len(c.Values) > 1 && !slices.ContainsFunc(c.Values, func(v string) bool { return !strings.EqualFold(v, c.Values[0]) }) {
			l.report(Info, "repeated-value", c.Path, "the same value stands twice", "keep one")
		} else if op.family == familyBool && len(c.Values) > 1 {
			l.report(Warning, "always-true", c.Path, "true and false together match whenever the key is there", `write "Null": {"`+c.Key+`": "false"}, or one value`)
		}
		l.repeatedKey(i, op)
		l.contradiction(c, op)
	}
}

// repeatedKey finds one key spelt in two ways under one operator: both must hold.
func (l *linter) repeatedKey(i int, op operator) {
	c := &l.s.Conditions[i]
	for j := range i {
		other := &l.s.Conditions[j]
		if strings.EqualFold(other.Key, c.Key) && strings.EqualFold(other.Operator, c.Operator) {
			l.report(Warning, "repeated-key", c.Path, fmt.Sprintf("%s stands twice under %s, in different case: both have to hold", c.Key, op.base), "merge the values into one list")
			return
		}
	}
}

// contradiction finds a key that must be absent and have a value at once.
func (l *linter) contradiction(c *Condition, op operator) {
	if op.family != familyNull || len(c.Values) != 1 || !strings.EqualFold(c.Values[0], "true") {
		return
	}
	for _, other := range l.find(c.Key) {
		o, fix := parseOperator(other.Operator)
		needs := o.family != familyNull && !o.negated && !o.ifExists && o.set != forAllValues || o.set == forAnyValue
		if fix == "" && needs {
			l.report(Error, "contradiction", c.Path, c.Key+" must be missing and have a value at once: the statement never matches", "drop one of the two")
			return
		}
	}
}

// missingKeyOnDeny finds the classic "deny without MFA" that long-term keys slip through, since their requests lack the key.
func (l *linter) missingKeyOnDeny() {
	if l.s.Effect != Deny {
		return
	}
	for _, c := range l.find("aws:MultiFactorAuthPresent") {
		op, fix := parseOperator(c.Operator)
		if fix == "" && op.family == familyBool && !op.ifExists && slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, "false") }) {
			l.report(Warning, "deny-missing-key", c.Path, "requests signed with long-term keys have no aws:MultiFactorAuthPresent and are not denied", "write BoolIfExists")
		}
	}
}

// zeroBlock finds 0.0.0.0/0, which covers no other address here: see parseNet.
func (l *linter) zeroBlock() {
	for i := range l.s.Conditions {
		c := &l.s.Conditions[i]
		op, fix := parseOperator(c.Operator)
		if fix != "" || op.family != familyIP {
			continue
		}
		for _, v := range c.Values {
			if strings.HasSuffix(v, "/0") {
				l.report(Error, "cidr-zero", c.Path, v+" is no limit: an IPv4 block of length 0 is read as the one address before the slash, an IPv6 one as every address",
					"leave the condition out, or name the blocks")
			}
		}
	}
}
