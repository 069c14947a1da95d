package identity

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/policy"
)

const (
	maxJournal     = 200_000 // distinct decisions written
	maxJournalLine = 1 << 20 // bytes read of one line
)

// Journal writes each distinct decision once as a line of JSON, for the replay that shows which statements are needed. It is safe
// for concurrent use.
type Journal struct {
	mu   sync.Mutex // guards the fields below
	w    io.WriteCloser
	seen map[string]struct{}
	err  error
}

// JournalFromEnv opens the file named by the environment variable TANDEM_RECORD_DECISIONS for appending; nil when it is not set.
func JournalFromEnv() (*Journal, error) {
	name := os.Getenv("TANDEM_RECORD_DECISIONS")
	if name == "" {
		return nil, nil //nolint:nilnil // no journal is a valid journal for NewDecider
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("opening the journal of decisions: %w", err)
	}
	return NewJournal(f), nil
}

// NewJournal writes to w and closes it with Close.
func NewJournal(w io.WriteCloser) *Journal { return &Journal{w: w, seen: map[string]struct{}{}} }

// Close closes the file and returns the first error of writing.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.err, j.w.Close())
}

// line is one decision with all that it depends on.
type line struct {
	Tenant    string              `json:"tenant"`
	Kind      caller.Kind         `json:"kind"`
	ID        string              `json:"id"`
	Principal string              `json:"principal"`
	Login     string              `json:"login,omitempty"`
	Roles     []string            `json:"roles,omitempty"`
	Tags      map[string]string   `json:"tags,omitempty"`
	Via       []string            `json:"via,omitempty"`
	Action    string              `json:"action"`
	Resource  string              `json:"resource"`
	Attrs     map[string][]string `json:"attrs,omitempty"`
	Allowed   bool                `json:"allowed"`
}

func (j *Journal) write(p caller.Principal, action, resource string, attrs []authz.Attr, allowed bool) {
	l := line{
		Tenant: p.Tenant, Kind: p.Kind, ID: p.ID, Principal: p.ARN, Login: p.Login, Roles: p.Roles, Tags: p.Tags, Via: p.Via,
		Action: action, Resource: resource, Allowed: allowed,
	}
	for _, a := range attrs {
		if l.Attrs == nil {
			l.Attrs = map[string][]string{}
		}
		l.Attrs[a.Key] = a.Values
	}
	data, err := json.Marshal(l)
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.seen[string(data)]; ok || len(j.seen) >= maxJournal {
		return
	}
	j.seen[string(data)] = struct{}{}
	if err == nil {
		_, err = j.w.Write(append(data, '\n'))
	}
	j.err = errors.Join(j.err, err)
}

func (l line) principal() caller.Principal {
	return caller.Principal{Tenant: l.Tenant, Kind: l.Kind, ID: l.ID, ARN: l.Principal, Login: l.Login, Roles: l.Roles, Tags: l.Tags, Via: l.Via}
}

func (l line) attrs() []authz.Attr {
	var out []authz.Attr
	for _, k := range slices.Sorted(maps.Keys(l.Attrs)) {
		out = append(out, authz.A(k, l.Attrs[k]...))
	}
	return out
}

// Replay is what a journal says about policies.
type Replay struct {
	Decisions int      // lines read
	Changed   []string // decisions that come out otherwise than recorded: "allowed svc/voice contact:Get arn:..."
	Unneeded  []string // statements without which every decision stays: "svc-voice[3] Say"
}

// ReplayJournal decides every line of a journal anew with the policies in files (nil: those shipped), as they are and with each
// statement left out in turn.
func ReplayJournal(ctx context.Context, files fs.FS, journal io.Reader) (Replay, error) {
	if files == nil {
		files = Policies()
	}
	docs, err := readPolicies(files)
	if err != nil {
		return Replay{}, err
	}
	lines, err := readJournal(journal)
	if err != nil {
		return Replay{}, err
	}
	res := Replay{Decisions: len(lines)}
	whole := newDecider(docs, nil, nil)
	for _, l := range lines {
		p := l.principal()
		if whole.decide(&p, l.Action, l.Resource, l.attrs()) != l.Allowed {
			word := map[bool]string{true: "allowed", false: "denied"}[l.Allowed]
			res.Changed = append(res.Changed, strings.Join([]string{word, l.ID, l.Action, l.Resource}, " "))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		for i, st := range docs[name].Statements {
			if err := ctx.Err(); err != nil {
				return Replay{}, context.Cause(ctx)
			}
			if !needed(docs, name, i, lines, whole) {
				res.Unneeded = append(res.Unneeded, fmt.Sprintf("%s[%d] %s", name, i, st.Sid))
			}
		}
	}
	return res, nil
}

// needed reports whether leaving a statement out changes a decision.
func needed(docs map[string]*policy.Document, name string, i int, lines []line, whole *Decider) bool {
	less := *docs[name]
	less.Statements = slices.Delete(slices.Clone(less.Statements), i, i+1)
	changed := maps.Clone(docs)
	changed[name] = &less
	d := newDecider(changed, nil, nil)
	for _, l := range lines {
		p := l.principal()
		if attrs := l.attrs(); d.decide(&p, l.Action, l.Resource, attrs) != whole.decide(&p, l.Action, l.Resource, attrs) {
			return true
		}
	}
	return false
}

func readJournal(r io.Reader) ([]line, error) {
	var out []line
	seen := map[string]struct{}{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxJournalLine)
	for n := 1; sc.Scan(); n++ {
		text := bytes.TrimSpace(sc.Bytes())
		if _, ok := seen[string(text)]; ok || len(text) == 0 {
			continue
		}
		seen[string(text)] = struct{}{}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("reading line %d of the journal: %w", n, err)
		}
		out = append(out, l)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return out, nil
}
