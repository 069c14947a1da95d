package salesforce

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// applyDiff does what the guide tells clients to do: puts the changed lines into the old text and checks the hash.
func applyDiff(was, diff string) (string, error) {
	heading, rest, found := strings.Cut(strings.TrimPrefix(diff, "--- \n+++ "), "\n")
	if !found || !strings.HasPrefix(diff, "--- \n+++ ") {
		return "", fmt.Errorf("no heading in %q", diff)
	}
	old := strings.Split(was, "\n")
	var out []string
	at := 0 // lines of the old text that were taken
	// Lines of a text may look like headings of hunks, which begin otherwise within a hunk: they are counted.
	lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	for len(lines) > 0 {
		var from, gone, to, come int
		if _, err := fmt.Sscanf(lines[0], "@@ -%d,%d +%d,%d @@", &from, &gone, &to, &come); err != nil {
			return "", fmt.Errorf("%q: %w", lines[0], err)
		}
		if gone > 0 {
			from--
		}
		if from < at || from+gone > len(old) || len(lines) < 1+gone+come {
			return "", fmt.Errorf("the hunk %q is out of place", lines[0])
		}
		out = append(out, old[at:from]...)
		for i, line := range lines[1 : 1+gone] {
			if line != "-"+old[from+i] {
				return "", fmt.Errorf("%q takes away what is not there", line)
			}
		}
		for _, line := range lines[1+gone : 1+gone+come] {
			out = append(out, strings.TrimPrefix(line, "+"))
		}
		at = from + gone
		lines = lines[1+gone+come:]
		if come > 0 {
			to--
		}
		if to+come != len(out) {
			return "", fmt.Errorf("the new lines are at %d, not at %d", len(out)-come, to)
		}
	}
	is := strings.Join(append(out, old[at:]...), "\n")
	if sum := sha256.Sum256([]byte(is)); hex.EncodeToString(sum[:]) != heading {
		return is, fmt.Errorf("the hash is not that of the text")
	}
	return is, nil
}

func numbered(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("Line %d of a text that is long enough to be sent by its differences.", i))
	}
	return out
}

// TestLargeTextsAreSentAsDiffs follows the guide's conditions.
func TestLargeTextsAreSentAsDiffs(t *testing.T) {
	t.Parallel()
	text := func(change func(l []string) []string) string { return strings.Join(change(numbered(20)), "\n") }
	was := text(func(l []string) []string { return l })
	for name, c := range map[string]struct {
		was, is string
		diff    bool
	}{
		"a line":               {was, text(func(l []string) []string { l[3] = "New"; return l }), true},
		"two lines apart":      {was, text(func(l []string) []string { l[0], l[19] = "New", "Last"; return l }), true},
		"a line more":          {was, text(func(l []string) []string { return append(l, "More") }), true},
		"a line before":        {was, text(func(l []string) []string { return append([]string{"First"}, l...) }), true},
		"a line less":          {was, text(func(l []string) []string { return l[1:] }), true},
		"too short":            {"a\nb", "a\nc", false},
		"from nothing":         {"", was, false},
		"to nothing":           {was, "", false},
		"half as long again":   {was, was + "\n" + was + "\n" + was, false},
		"a quarter and more":   {was, text(func(l []string) []string { copy(l, []string{"a", "b", "c", "d", "e", "f"}); return l }), false},
		"one line":             {strings.Repeat("x", 2000), strings.Repeat("x", 2001), false},
		"a long line of three": {"a\n" + strings.Repeat("x", 2000) + "\nb", "a\n" + strings.Repeat("x", 2001) + "\nb", false},
	} {
		diff, short := diffText(c.was, c.is)
		if short != c.diff {
			t.Errorf("%s: %v %.200s", name, short, diff)
			continue
		}
		if !short {
			continue
		}
		if got, err := applyDiff(c.was, string(diff)); err != nil || got != c.is {
			t.Errorf("%s: %v in %s", name, err, diff)
		}
	}
}

func TestChangesOfLargeTexts(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Second
	lines := numbered(20)
	was := strings.Join(lines, `\n`)
	id := o.create("Account", `{"Name":"Acme","Description":"`+was+`"}`)
	lines[4] = "Another"
	if status, out := o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Description":"`+strings.Join(lines, `\n`)+`","Fax":"1"}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, out)
	}
	events := o.changeLog("/data/AccountChangeEvent")
	diff, _ := events[1].values["Description"].(string)
	if got, err := applyDiff(strings.ReplaceAll(was, `\n`, "\n"), diff); err != nil || got != strings.Join(lines, "\n") {
		t.Errorf("%v: %s", err, diff)
	}
	s := o.events.byChannel["/data/AccountChangeEvent"]
	if names := bitmapNames(t, s, events[1].differ); names != "Description" {
		t.Errorf("diffFields: %s", names)
	}
	if names := bitmapNames(t, s, events[1].changed); names != "Description,Fax,LastModifiedDate" {
		t.Errorf("changedFields: %s", names)
	}
	if made, _ := events[0].values["Description"].(string); made != strings.ReplaceAll(was, `\n`, "\n") || len(events[0].differ) > 0 {
		t.Errorf("a new text: %s", made)
	}
	stream := o.stream()
	stream.join("/data/AccountChangeEvent", 1)
	payload, _ := stream.events(1)[0]["payload"].(map[string]any)
	if in, _ := payload["Description"].(map[string]any); in["diff"] != diff {
		t.Errorf("by CometD: %v", payload)
	}
}

func FuzzTextDiff(f *testing.F) {
	was := strings.Join(numbered(20), "\n")
	f.Add(was, "New\n"+was)
	f.Add(was, was+"\n\n@@ -1,1 +1,1 @@\n-x\r")
	f.Add(strings.Repeat("a\n", 600), strings.Repeat("a\n", 550)+"\xff\n")
	f.Fuzz(func(t *testing.T, was, is string) {
		diff, short := diffText(was, is)
		if !short {
			return
		}
		if got, err := applyDiff(was, string(diff)); err != nil || got != is {
			t.Fatalf("%v: %q", err, diff)
		}
	})
}
