package policy

import (
	"fmt"
	"slices"
	"strings"
)

// sourceKeys tie a service's call to the account, resource or organisation it acts for (IAM User Guide, "The confused
// deputy problem").
var sourceKeys = []string{"aws:SourceAccount", "aws:SourceArn", "aws:SourceOrgID", "aws:SourceOrgPaths"}

// confusedDeputy finds grants to a service that do not say on whose behalf it may act.
func (l *linter) confusedDeputy() {
	if l.s.Effect != Allow || l.requires(sourceKeys...) {
		return
	}
	for _, ref := range l.s.Principal {
		if ref.Type != "Service" {
			continue
		}
		fix := `add a condition: "StringEquals": {"aws:SourceAccount": "<your account>"} or "ArnLike": {"aws:SourceArn": "<the instance>"}`
		path := l.s.Path + ".Principal"
		switch {
		case l.doc.Kind == KindTrust:
			l.report(Info, "confused-deputy", path, ref.Value+" may assume the role for anyone it works for", fix)
		case strings.HasPrefix(strings.Join(l.s.Resource, ","), "arn:aws:s3:"):
			l.report(Error, "confused-deputy", path, ref.Value+" may use the bucket for any customer it works for: there is no source condition", fix)
		default:
			l.report(Error, "confused-deputy", path, ref.Value+" may do this for any customer it works for, not only for you", fix)
		}
	}
}

func (l *linter) foreignTrust() {
	if l.doc.Kind != KindTrust || l.s.Effect != Allow || l.requires("sts:ExternalId") {
		return
	}
	for _, ref := range l.s.Principal {
		if ref.Type != "AWS" {
			continue
		}
		account := ref.Value
		if strings.HasSuffix(ref.Value, ":root") {
			if parts := strings.SplitN(ref.Value, ":", 6); len(parts) == 6 {
				account = parts[4]
			}
		}
		if (isAccountID(account) || hasPlaceholder(account)) && !slices.Contains(l.own, account) {
			l.report(Error, "foreign-trust", l.s.Path+".Principal.AWS", fmt.Sprintf("the whole account %s may assume the role, without sts:ExternalId", account),
				`name the role that needs it, and add "StringEquals": {"sts:ExternalId": "<agreed secret>"}`)
		}
	}
}

func (l *linter) publicPrincipal() {
	if l.s.Effect != Allow || len(l.s.Conditions) > 0 {
		return
	}
	for _, ref := range l.s.Principal {
		if ref.Value == "*" {
			l.report(Error, "public-principal", l.s.Path+".Principal", "everyone in the world is allowed, without a condition",
				"name the principals, or add a condition on aws:PrincipalOrgID or aws:PrincipalAccount")
			return
		}
	}
}

func (l *linter) notPrincipal() {
	if len(l.s.NotPrincipal) == 0 {
		return
	}
	path := l.s.Path + ".NotPrincipal"
	if l.s.Effect == Allow {
		l.report(Error, "notprincipal-allow", path, "everyone but the listed is allowed, the anonymous included", "use Principal and name who may")
		return
	}
	l.report(Warning, "notprincipal-deny", path, "the listed principals are denied all the same once they have a permissions boundary",
		`use "Principal": "*" with "ArnNotEquals": {"aws:PrincipalArn": [...]}`)
}

func (l *linter) lostPrincipal() {
	for _, ref := range slices.Concat(l.s.Principal, l.s.NotPrincipal) {
		switch {
		case ref.Type == "AWS" && isUniqueID(ref.Value):
			l.report(Warning, "deleted-principal", l.s.Path, ref.Value+" is the id of a deleted user or role and matches nobody", "remove it")
		case ref.Type == "CanonicalUser":
			l.report(Warning, "canonical-user", l.s.Path, "canonical user ids match nobody here", "name the account: arn:aws:iam::<account>:root")
		}
	}
}

func (l *linter) actions() {
	if l.s.Effect != Allow || l.doc.Kind == KindBoundary {
		return
	}
	for i, a := range l.s.Action {
		path := fmt.Sprintf("%s.Action[%d]", l.s.Path, i)
		service, name, _ := strings.Cut(a, ":")
		switch {
		case strings.Trim(a, "*:") == "":
			l.report(Error, "all-actions", path, "every action of every service is allowed", "list the actions that are used")
		case strings.Trim(name, "*") == "":
			l.report(Warning, "service-wildcard", path, "every action of "+service+" is allowed, those that delete and re-grant too",
				"list the actions that are used, such as "+service+":Get...")
		}
	}
}

// escalations are actions with which a principal can give itself, or others, more than it has. Those marked anywhere are
// dangerous on any resource, the others on a wildcard only.
var escalations = [...]struct {
	action   string
	anywhere bool
	guards   []string
}{
	{action: "iam:PassRole", guards: []string{"iam:PassedToService"}},
	{action: "sts:AssumeRole"},
	{action: "iam:AttachRolePolicy", anywhere: true, guards: []string{"iam:PermissionsBoundary", "iam:PolicyARN"}},
	{action: "iam:AttachUserPolicy", anywhere: true, guards: []string{"iam:PermissionsBoundary", "iam:PolicyARN"}},
	{action: "iam:AttachGroupPolicy", anywhere: true, guards: []string{"iam:PolicyARN"}},
	{action: "iam:PutRolePolicy", anywhere: true, guards: []string{"iam:PermissionsBoundary"}},
	{action: "iam:PutUserPolicy", anywhere: true, guards: []string{"iam:PermissionsBoundary"}},
	{action: "iam:PutGroupPolicy", anywhere: true},
	{action: "iam:CreatePolicyVersion", anywhere: true},
	{action: "iam:SetDefaultPolicyVersion", anywhere: true},
	{action: "iam:UpdateAssumeRolePolicy", anywhere: true},
	{action: "iam:DeleteRolePermissionsBoundary", anywhere: true},
	{action: "iam:DeleteUserPermissionsBoundary", anywhere: true},
	{action: "iam:AddUserToGroup", anywhere: true},
	{action: "iam:CreateAccessKey"},
	{action: "iam:CreateLoginProfile"},
	{action: "iam:UpdateLoginProfile"},
	{action: "lambda:AddPermission", anywhere: true},
	{action: "lambda:RemovePermission", anywhere: true},
	{action: "lambda:UpdateFunctionCode"},
	{action: "kms:PutKeyPolicy", anywhere: true},
	{action: "kms:CreateGrant", guards: []string{"kms:GrantIsForAWSResource", "kms:ViaService", "kms:GranteePrincipal"}},
	{action: "s3:PutBucketPolicy", anywhere: true},
	{action: "sqs:AddPermission", anywhere: true},
	{action: "sns:AddPermission", anywhere: true},
	{action: "secretsmanager:PutResourcePolicy", anywhere: true},
}

// escalation reports each dangerous action once. A bare * has a finding of its own.
func (l *linter) escalation() {
	if l.s.Effect != Allow || l.doc.Kind == KindBoundary {
		return
	}
	for _, x := range escalations {
		i := slices.IndexFunc(l.s.Action, func(a string) bool {
			return strings.Trim(a, "*:") != "" && globFold(lowerASCII(a), x.action)
		})
		broad := l.broadResource()
		if i < 0 || !x.anywhere && !broad || l.requires(x.guards...) {
			continue
		}
		where, fix := "", "leave it to the provisioner"
		if broad {
			where, fix = " on every resource", "name the resources, or leave it to the provisioner"
		}
		if len(x.guards) > 0 {
			fix += "; or add a condition on " + x.guards[0]
		}
		l.report(Error, "escalation", fmt.Sprintf("%s.Action[%d]", l.s.Path, i), x.action+where+" lets the principal widen access, its own or that of others", fix)
	}
}

// broadResource reports whether the statement covers everything of a service. In a resource policy * is the resource itself.
func (l *linter) broadResource() bool {
	if l.doc.Kind.takesPrincipal() {
		return false
	}
	return len(l.s.NotResource) > 0 || slices.ContainsFunc(l.s.Resource, isBroad)
}

// isBroad reports * and ARNs whose last part is open, such as arn:aws:kms:*:*:key/*.
func isBroad(arn string) bool {
	if strings.Trim(arn, "*") == "" {
		return true
	}
	parts := splitParts(arn, true)
	if len(parts) < 6 {
		return true
	}
	last := parts[5]
	if i := strings.LastIndexAny(last, "/:"); i >= 0 {
		last = last[i+1:]
		return strings.Trim(last, "*") == "" && strings.Trim(parts[4], "*") == "" && !strings.Contains(arn, ":s3:::")
	}
	return strings.Trim(last, "*") == ""
}

func (l *linter) decryptAny() {
	if l.s.Effect != Allow || l.doc.Kind == KindBoundary || !l.broadResource() {
		return
	}
	for i, a := range l.s.Action {
		if strings.Trim(a, "*:") == "" {
			continue
		}
		for _, use := range [...]string{"kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey"} {
			if globFold(lowerASCII(a), use) {
				severity, why := Error, ""
				if l.requires("kms:ViaService", "kms:EncryptionContextKeys") || l.hasKeyPrefix("aws:resourcetag/", "kms:encryptioncontext:") {
					severity, why = Info, ", within the conditions"
				}
				l.report(severity, "kms-any-key", fmt.Sprintf("%s.Action[%d]", l.s.Path, i), use+" is allowed with every key"+why, "name the keys by ARN")
				break
			}
		}
	}
}

func (l *linter) hasKeyPrefix(prefixes ...string) bool {
	for i := range l.s.Conditions {
		key := strings.ToLower(l.s.Conditions[i].Key)
		for _, p := range prefixes {
			if strings.HasPrefix(key, p) && l.requires(key) {
				return true
			}
		}
	}
	return false
}

// anyResource finds actions on * that change or read things; lists and descriptions often know no resource.
func (l *linter) anyResource() {
	if l.s.Effect != Allow || l.doc.Kind != KindIdentity || !slices.ContainsFunc(l.s.Resource, func(r string) bool { return strings.Trim(r, "*") == "" }) {
		return
	}
	if l.hasKeyPrefix("aws:resourcetag/", "aws:requesttag/") || l.requires("kms:ViaService") {
		return
	}
	for i, a := range l.s.Action {
		service, name, _ := strings.Cut(a, ":")
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "list") || strings.HasPrefix(lower, "describe") || service == "kms" || strings.Trim(a, "*:") == "" {
			continue
		}
		l.report(Warning, "any-resource", fmt.Sprintf("%s.Action[%d]", l.s.Path, i), a+" is allowed on every resource", "name the resources by ARN")
	}
}

func (l *linter) negatedElements() {
	if l.s.Effect != Allow || l.doc.Kind == KindBoundary {
		return
	}
	if len(l.s.NotAction) > 0 {
		l.report(Warning, "notaction-allow", l.s.Path+".NotAction", "every action but the listed is allowed, those of services yet to come too", "list the actions in Action")
	}
	if len(l.s.NotResource) > 0 {
		l.report(Warning, "notresource-allow", l.s.Path+".NotResource", "every resource but the listed is allowed", "list the resources in Resource")
	}
}
