//go:build !flite

package flite

import (
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/errs"
)

func TestNewWithoutModule(t *testing.T) {
	t.Parallel()
	_, err := New(Options{})
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "fetch.sh") {
		t.Errorf("got %v", err)
	}
}
