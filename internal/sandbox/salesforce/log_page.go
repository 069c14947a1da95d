package salesforce

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// logDetail is one request of the log.
type logDetail struct {
	logRow

	Query, Answer string
	Cells         []cell
}

func logRowOf(e kit.Entry) logRow {
	row := logRow{
		N: e.N, Time: e.At.UTC().Format("15:04:05.000"), Method: e.Method, Path: e.Path, Status: strconv.Itoa(e.Status), User: e.User,
		MS: strconv.FormatFloat(float64(e.Duration.Microseconds())/1000, 'f', 1, 64), Class: "good",
	}
	if e.Status == 0 {
		row.Status = "cut"
	}
	if e.Status == 0 || e.Status >= http.StatusBadRequest {
		row.Class = "bad"
	}
	return row
}

// logEntry shows one request of the log.
func (s *site) logEntry(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	e, found := s.org.requests.Find(n)
	if err != nil || !found {
		s.problem(w, r, fault(http.StatusNotFound, "NOT_FOUND", "The log does not hold this request any more."))
		return
	}
	d := pageData{Title: e.Method + " " + e.Path, Here: "/sandbox/log", Kind: "API request " + strconv.Itoa(n)}
	received := "not said"
	if e.Received >= 0 {
		received = strconv.FormatInt(e.Received, 10) + " bytes"
	}
	d.Entry = &logDetail{logRow: logRowOf(e), Query: strings.ReplaceAll(e.Query, "&", "\n"), Answer: pretty(e.Answer), Cells: []cell{
		{Label: "Time", Text: e.At.UTC().Format(time.RFC3339Nano)},
		{Label: "Took", Text: strconv.FormatFloat(float64(e.Duration.Microseconds())/1000, 'f', 3, 64) + " ms"},
		{Label: "User", Text: e.User},
		{Label: "Client", Text: e.Agent},
		{Label: "Content type", Text: e.Type},
		{Label: "Request body", Text: received},
		{Label: "Answer", Text: strconv.FormatInt(e.Sent, 10) + " bytes"},
	}}
	s.show(w, r, http.StatusOK, "logentry", d)
}

// pretty indents JSON; what is none, or was cut off, stays as it is.
func pretty(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return s
	}
	return string(out)
}
