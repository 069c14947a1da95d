package registry

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
)

// KindFunction are functions that flows call.
const KindFunction = "function"

// Function stands for a function that flows call by an ARN or a name: an HTTP endpoint, or a command of this machine that
// the configuration file names.
type Function struct {
	Refs      []string `json:"refs"`      // ARNs and names by which flows call it, besides its own name
	Type      string   `json:"kind"`      // "http" or "command"
	URL       string   `json:"url"`       // http: the endpoint, or with a connector the path behind its address
	Connector string   `json:"connector"` // http: id of the connector that signs in; empty: none
	Command   string   `json:"command"`   // command: its name in functions.commands
	TimeoutMS int      `json:"timeoutMs"` // 100 to 30,000; the flow's own limit counts too when it is shorter; default 8,000
}

// Limits of functions.
const (
	DefaultFunctionMS = 8000 // the longest that Amazon Connect waits
	maxFunctionMS     = 30_000
	maxFunctionRefs   = 50
)

// CheckFunction fills defaults in and refuses what cannot be called.
func CheckFunction(_ string, f *Function) error {
	if f.TimeoutMS == 0 {
		f.TimeoutMS = DefaultFunctionMS
	}
	if f.TimeoutMS < 100 || f.TimeoutMS > maxFunctionMS {
		return errs.New(errs.Invalid, "a function has 100 to %d milliseconds", maxFunctionMS)
	}
	if len(f.Refs) > maxFunctionRefs {
		return errs.New(errs.Invalid, "a function has at most %d ARNs and names", maxFunctionRefs)
	}
	for i, r := range f.Refs {
		f.Refs[i] = strings.TrimSpace(r)
		if ParseFunctionRef(f.Refs[i]).Name == "" {
			return errs.New(errs.Invalid, "%.100q is neither an ARN such as arn:aws:lambda:us-east-1:123456789012:function:look-up nor a function's name", r)
		}
	}
	switch f.Type {
	case "http":
		return f.checkURL()
	case "command":
		f.URL, f.Connector = "", ""
		if f.Command == "" {
			return errs.New(errs.Invalid, "choose one of the commands that the configuration file names under functions.commands")
		}
		return nil
	}
	return errs.New(errs.Invalid, "a function is of kind http or command")
}

func (f *Function) checkURL() error {
	f.Command, f.URL = "", strings.TrimSpace(f.URL)
	if f.Connector != "" {
		if len(f.URL) > 2000 || strings.Contains(f.URL, "://") {
			return errs.New(errs.Invalid, "with a connector the endpoint is the path behind the connector's address, such as /look-up")
		}
		return nil
	}
	u, err := url.Parse(f.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(f.URL) > 2000 {
		return errs.New(errs.Invalid, "the endpoint must look like https://host/path, without credentials in it; use a connector to sign in")
	}
	return nil
}

// FunctionRef is what an ARN or name of an AWS Lambda function says (AWS Lambda API, FunctionName). Empty parts are not said.
type FunctionRef struct {
	Region, Account, Name, Qualifier string
}

// functionName is a name of AWS Lambda; longer names of other systems are let through.
var functionName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,140}$`) //nolint:gochecknoglobals // constant

// ParseFunctionRef reads a whole ARN, a partial one (123456789012:function:name) or a name, each with or without a version or
// alias behind it. Name is empty when the text is none of them.
func ParseFunctionRef(s string) FunctionRef {
	var r FunctionRef
	parts := strings.Split(strings.TrimSpace(s), ":")
	switch {
	case len(parts) >= 6 && parts[0] == "arn":
		if parts[2] != "lambda" || parts[5] != "function" {
			return r
		}
		r.Region, r.Account, parts = parts[3], parts[4], parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		r.Account, parts = parts[0], parts[2:]
	case len(parts) >= 2 && parts[0] == "function":
		parts = parts[1:]
	}
	if len(parts) == 0 || len(parts) > 2 || !functionName.MatchString(parts[0]) {
		return FunctionRef{}
	}
	r.Name = parts[0]
	if len(parts) == 2 && parts[1] != "$LATEST" {
		r.Qualifier = parts[1]
	}
	return r
}

// Match says how well f, under its own name, fits what a flow calls: 0 not at all, more is better. A version or alias that the
// set-up does not say fits any; one that it says fits only itself. Region and account count where both say them.
func (f *Function) Match(name string, called FunctionRef) int {
	best := 0
	for _, text := range append([]string{name}, f.Refs...) {
		best = max(best, ParseFunctionRef(text).match(called))
	}
	return best
}

func (r FunctionRef) match(called FunctionRef) int {
	if r.Name == "" || r.Name != called.Name {
		return 0
	}
	score := 1
	for _, p := range [][2]string{{r.Region, called.Region}, {r.Account, called.Account}} {
		switch {
		case p[0] != "" && p[1] != "" && p[0] != p[1]:
			return 0
		case p[0] != "" && p[0] == p[1]:
			score += 2
		}
	}
	switch r.Qualifier {
	case "":
	case called.Qualifier:
		score += 8
	default:
		return 0
	}
	return score
}
