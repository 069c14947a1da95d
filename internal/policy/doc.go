// Package policy is the policy language of AWS IAM: it parses, compiles, decides, explains and lints policy documents.
//
// A document is parsed strictly ([Parse]), one or more documents of the same purpose are compiled once into an immutable
// [Set] ([Compile]), and a [Layers] value names the sets that bear on a request: the principal's identity policies, its
// permissions boundary, its session policy and the resource's own policy. [Layers.Decide] is the fast path: it does not
// allocate and may be called from any number of goroutines. [Layers.Explain] decides the same request slowly and says for
// every statement why it did or did not match. [Lint] names the holes of a document that is valid but dangerous.
//
//	doc, err := policy.Parse(data, policy.KindIdentity)
//	role, err := policy.Compile(doc)
//	who, err := policy.NewPrincipal("arn:aws:iam::111122223333:role/svc/ctr-sync")
//	res := policy.Layers{Identity: role}.Decide(&policy.Request{
//		Principal: who,
//		Action:    "kinesis:GetRecords",
//		Resource:  policy.NewResource("arn:aws:kinesis:us-east-1:111122223333:stream/ctr", ""),
//		Context:   policy.Context{policy.Bool("aws:SecureTransport", true)},
//	})
//	if res.Decision != policy.Allowed { ... }
//
// The zero value of every result is a denial. The semantics are those of the IAM User Guide, "Policy evaluation logic" and
// "IAM JSON policy element reference"; where the guide is silent the comment at the place says what was chosen.
//
// A module of a program that acts under policies of its own is a role principal (a role ARN), not a service principal:
// service principals have no identity policies and get only what resource policies give them.
package policy
