package flow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits of what a flow declares about itself, in bytes unless said otherwise.
const (
	MaxVarName     = 100
	MaxLabel       = 200
	MaxDescription = 2000
	MaxErrorText   = 1000
	// MaxBudget is the highest Options.MaxSteps, in nodes.
	MaxBudget = 100_000
)

// Types are the types that a variable may have, in the order in which people are offered them.
func Types() []Type {
	return []Type{TypeString, TypeInteger, TypeBoolean, TypeDecimal, TypeDateTime, TypeJSON}
}

// Kinds are what a flow may be for, in the order in which people are offered them.
func Kinds() []Kind {
	return []Kind{KindInbound, KindQueue, KindHold, KindWhisper, KindTransfer, KindSub}
}

// Templates read variables by such names.
var varName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckVarName says why a variable cannot be called so; nil when it can.
func CheckVarName(name string) error {
	if len(name) > MaxVarName || !varName.MatchString(name) {
		return fmt.Errorf("%.40q is no name for a variable: use up to %d letters, digits and _, and no digit at the start", name, MaxVarName)
	}
	return nil
}

// ReadValue turns a person's text into a value of the type. Blank text gives nil, which stands for the type's empty value;
// for TypeString it is a text as well.
func (t Type) ReadValue(s string) (any, error) {
	if !slices.Contains(Types(), t) {
		return nil, fmt.Errorf("%.40q is no type: use one of %v", string(t), Types())
	}
	switch {
	case t == TypeString || t == TypeDateTime:
		return t.convert(s)
	case strings.TrimSpace(s) == "":
		return nil, nil
	}
	return t.convert(s)
}

// Check says what of the options a flow cannot have; nil when all can be.
func (o Options) Check() error {
	if o.MaxSteps < 0 || o.MaxSteps > MaxBudget {
		return fmt.Errorf("the budget of %d steps is not between 1 and %d, nor 0 for the usual %d", o.MaxSteps, MaxBudget, DefaultMaxSteps)
	}
	if o.Zone != "" {
		if _, err := time.LoadLocation(o.Zone); err != nil {
			return fmt.Errorf("the time zone %.60q is not known: use a name such as Europe/Berlin", o.Zone)
		}
	}
	for what, s := range map[string]string{"announcement": o.ErrorText, "language": o.Language, "voice": o.Voice} {
		if len(s) > MaxErrorText {
			return fmt.Errorf("the %s has at most %d characters", what, MaxErrorText)
		}
	}
	return nil
}
