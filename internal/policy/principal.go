package policy

import (
	"fmt"
	"strings"
)

// principalKind tells how a principal is matched and which layers bear on it.
type principalKind uint8

const (
	anonymous principalKind = iota
	rootUser
	iamUser
	iamRole
	roleSession
	federatedUser
	servicePrincipal
	federatedProvider
)

// Principal is who makes a request. Make it once with NewPrincipal, NewSession or Anonymous and keep it: it is a small
// value, safe to copy and to share. The zero value is the anonymous principal.
type Principal struct {
	kind    principalKind
	account string
	arn     string // as matched by exact Principal entries
	role    string // ARN of the role of a session, where known
	name    string // role name without path, for sessions
}

// Anonymous is a caller without credentials. Only resource policies that name everyone grant it anything.
func Anonymous() Principal { return Principal{} }

// NewPrincipal reads a principal: the ARN of a user, role, role session, federated user, account root, SAML or OIDC
// provider; a service name such as connect.amazonaws.com; a web identity provider's host name with a leading "federated:"
// (federated:accounts.google.com); or "*" and "" for the anonymous principal.
//
// The ARN of a session (arn:aws:sts::111122223333:assumed-role/Name/session) does not carry the role's path; role names
// are unique in an account, so it matches the role whatever its path.
func NewPrincipal(s string) (Principal, error) {
	if s == "" || s == "*" {
		return Principal{}, nil
	}
	if host, ok := strings.CutPrefix(s, "federated:"); ok {
		return Principal{kind: federatedProvider, arn: host}, nil
	}
	if !strings.HasPrefix(s, "arn:") {
		if isServiceName(s) {
			return Principal{kind: servicePrincipal, arn: s}, nil
		}
		return Principal{}, fmt.Errorf("principal %q is neither an ARN nor a service name: "+
			"use arn:aws:iam::<account>:role/<name> or <service>.amazonaws.com", s)
	}
	return principalFromARN(s)
}

func principalFromARN(s string) (Principal, error) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || !isAccountID(parts[4]) {
		return Principal{}, fmt.Errorf("principal %q is not a complete ARN: "+
			"it needs six parts and a 12-digit account, as in arn:aws:iam::111122223333:role/name", s)
	}
	p := Principal{account: parts[4], arn: s}
	if parts[2] == "iam" && parts[5] == "root" {
		p.kind = rootUser
		return p, nil
	}
	typ, name, _ := strings.Cut(parts[5], "/")
	kind, known := principalTypes(parts[2] + ":" + typ)
	switch {
	case !known:
		return Principal{}, fmt.Errorf("principal %q is of an unknown type: use user, role, root, assumed-role, "+
			"federated-user, saml-provider or oidc-provider", s)
	case name == "":
		return Principal{}, fmt.Errorf("principal %q names nobody: add the name after the last /", s)
	}
	p.kind = kind
	if kind == iamRole {
		p.role, p.name = s, lastSegment(name)
	}
	if kind == roleSession {
		role, session, _ := strings.Cut(name, "/")
		if role == "" || session == "" {
			return Principal{}, fmt.Errorf("principal %q needs a role and a session: assumed-role/<role>/<session>", s)
		}
		p.name = role
	}
	return p, nil
}

// principalTypes maps the service and type of an ARN to the kind of principal.
func principalTypes(serviceAndType string) (kind principalKind, known bool) {
	switch serviceAndType {
	case "iam:user":
		return iamUser, true
	case "iam:role":
		return iamRole, true
	case "iam:saml-provider", "iam:oidc-provider":
		return federatedProvider, true
	case "sts:federated-user":
		return federatedUser, true
	case "sts:assumed-role":
		return roleSession, true
	default:
		return anonymous, false
	}
}

// NewSession returns the principal of a session of a role, keeping the role's full ARN so that entries naming a role of
// the same name under another path do not match.
func NewSession(roleARN, session string) (Principal, error) {
	role, err := NewPrincipal(roleARN)
	if err != nil {
		return Principal{}, fmt.Errorf("reading the role of a session: %w", err)
	}
	if role.kind != iamRole || session == "" || strings.ContainsAny(session, "/:") {
		return Principal{}, fmt.Errorf("session %q of %q: give the ARN of a role, and a session name with neither slash nor colon", session, roleARN)
	}
	partition := strings.SplitN(roleARN, ":", 3)[1]
	return Principal{
		kind: roleSession, account: role.account, role: roleARN, name: role.name,
		arn: "arn:" + partition + ":sts::" + role.account + ":assumed-role/" + role.name + "/" + session,
	}, nil
}

// String returns the ARN or service name, "*" for the anonymous principal.
func (p Principal) String() string {
	if p.arn == "" {
		return "*"
	}
	return p.arn
}

// Account returns the 12-digit account of the principal, "" for services and for the anonymous principal.
func (p Principal) Account() string { return p.account }

// ownsPolicies reports whether identity policies, boundaries and session policies bear on the principal.
func (p Principal) ownsPolicies() bool {
	switch p.kind {
	case anonymous, servicePrincipal, federatedProvider:
		return false
	default:
		return true
	}
}

// keyARN is the value of aws:PrincipalArn: for a session it is the ARN of the role (IAM User Guide, global condition keys).
func (p *Principal) keyARN() string {
	if p.kind == roleSession && p.role != "" {
		return p.role
	}
	return p.arn
}

// isServiceName accepts what AWS calls a service principal: dotted lower-case names that end in a known suffix.
func isServiceName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if lower, digit := 'a' <= c && c <= 'z', '0' <= c && c <= '9'; !lower && !digit && c != '.' && c != '-' {
			return false
		}
	}
	for _, suffix := range [...]string{".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal", ".internal"} {
		if len(s) > len(suffix) && strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

func isAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
