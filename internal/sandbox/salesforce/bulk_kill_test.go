package salesforce

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Names of what the process is told that is to be killed.
const (
	killedDir = "TANDEM_TEST_KILLED_DIR"
	killedJob = "TANDEM_TEST_KILLED_JOB"
)

// TestBulkKilledProcess is no test of its own: it is the process TestBulkSurvivesKills ends. It closes the job and then tells
// how far it is, a line each time.
func TestBulkKilledProcess(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		return
	}
	org, err := New(Options{Dir: dir, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	j := org.bulk.jobs[os.Getenv(killedJob)]
	if org.bulk.snapshot(j).State == jobOpen {
		if err := org.bulk.change(t.Context(), j, func(j *job) error { j.State = jobUploaded; return nil }); err != nil {
			t.Fatal(err)
		}
		org.bulk.start(j)
	}
	told := int64(-1)
	for {
		s := org.bulk.snapshot(j)
		if s.Processed != told || s.State.over() {
			told = s.Processed
			_, _ = fmt.Fprintf(os.Stdout, "processed %d %s\n", s.Processed, s.State)
		}
		if s.State.over() {
			break
		}
	}
	if err := org.Close(); err != nil {
		t.Error(err)
	}
}

// killAfter runs the process until the job is further than it was, ends it by force and returns how far it told to be.
func killAfter(t *testing.T, dir, job string, further int) (processed int, over bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestBulkKilledProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), killedDir+"="+dir, killedJob+"="+job)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), "processed ")
		if !found {
			continue
		}
		n, state, _ := strings.Cut(rest, " ")
		if processed, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
		if over = jobState(state).over(); over || processed > further {
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	return processed, over
}

// TestBulkSurvivesKills ends the process of an org that loads again and again: each row is taken once, and told once.
func TestBulkSurvivesKills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const n = 35_000
	first, err := New(Options{Seed: SeedNone, Dir: dir, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	var data strings.Builder
	data.WriteString("Name,Fax\n")
	for i := range n {
		if i%10 == 0 {
			data.WriteString(",\n") // fails
			continue
		}
		fmt.Fprintf(&data, "A,%d\n", i)
	}
	j := &job{Ingest: true, Object: "Account", Operation: "insert", LineEnding: "LF", Delimiter: "COMMA", State: jobOpen, User: first.admin, Version: 60}
	if err := first.bulk.add(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := first.upload(t.Context(), j, strings.NewReader(data.String()), jobOpen); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	processed, kills := 0, 0
	for ; kills < 5; kills++ {
		next, over := killAfter(t, dir, j.ID, processed)
		if over {
			break
		}
		if next < processed {
			t.Fatalf("after kill %d the job is at %d, was at %d", kills, next, processed)
		}
		processed = next
	}
	if kills < 2 {
		t.Fatalf("the job was over after %d kills: it is too small to tell", kills)
	}
	o := start(t, Options{Dir: dir})
	done := o.finished("ingest", j.ID)
	if done.State != "JobComplete" || done.Processed != n || done.Failed != n/10 {
		t.Errorf("%+v", done)
	}
	ok := o.csv("/jobs/ingest/" + j.ID + "/successfulResults")[1:]
	ids, i := map[string]bool{}, 0
	for _, row := range ok {
		for i%10 == 0 {
			i++
		}
		if row[3] != strconv.Itoa(i) || ids[row[0]] {
			t.Fatalf("row %d of the results is %q", i, row)
		}
		ids[row[0]] = true
		i++
	}
	bad := o.csv("/jobs/ingest/" + j.ID + "/failedResults")[1:]
	if got := o.count("Account"); len(ok) != n-n/10 || len(bad) != n/10 || !strings.Contains(got, fmt.Sprintf(`"totalSize":%d,`, len(ok))) {
		t.Errorf("%d taken, %d refused, stored %s", len(ok), len(bad), got)
	}
	// A query that is interrupted starts anew.
	q := &job{Object: "Account", Operation: "query", Query: "SELECT Id FROM Account", LineEnding: "LF", Delimiter: "COMMA", State: jobInProgress, User: o.admin, Version: 60}
	if err := o.bulk.add(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.bulk.file(q.ID, "out"), []byte("\"Id\"\n\"half a re"), 0o600); err != nil {
		t.Fatal(err)
	}
	stale := o.bulk.file("750zzzzzzzzzzzzzzz", "in")
	if err := os.WriteFile(stale, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, Options{Dir: dir})
	if done := again.finished("query", q.ID); done.State != "JobComplete" || done.Processed != len(ok) {
		t.Errorf("%+v", done)
	}
	if status, out := again.api(http.MethodGet, "/jobs/query/"+q.ID+"/results", ""); status != http.StatusOK || strings.Count(out, "\n") != len(ok)+1 {
		t.Errorf("%d, %d lines", status, strings.Count(out, "\n"))
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("a file of no job is left: %v", err)
	}
}
