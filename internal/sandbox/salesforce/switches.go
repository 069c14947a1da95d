package salesforce

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// switches adds the admin API below /sandbox/api:
//
//	GET    /sandbox/api/faults        rules and the down switch
//	POST   /sandbox/api/faults        adds a kit.Fault, answers it with its id
//	DELETE /sandbox/api/faults[/{id}] removes all, or one
//	PUT    /sandbox/api/down          {"down": true}: every API connection is closed unanswered
//	POST   /sandbox/api/sessions/expire   ends all access tokens
//	GET    /sandbox/api/requests?n=   the newest API requests
func (o *Org) switches(mux *http.ServeMux) {
	mux.HandleFunc("GET /sandbox/api/faults", func(w http.ResponseWriter, _ *http.Request) { o.writeFaults(w) })
	mux.HandleFunc("POST /sandbox/api/faults", o.addFault)
	mux.HandleFunc("DELETE /sandbox/api/faults", func(w http.ResponseWriter, _ *http.Request) {
		o.faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /sandbox/api/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !o.faults.Remove(r.PathValue("id")) {
			writeFault(w, notFound())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /sandbox/api/down", o.setDown)
	mux.HandleFunc("POST /sandbox/api/sessions/expire", func(w http.ResponseWriter, r *http.Request) {
		o.ExpireSessions(r.Context())
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /sandbox/api/requests", o.listRequests)
}

func (o *Org) writeFaults(w http.ResponseWriter) {
	rules, down := o.faults.List()
	writeJSON(w, http.StatusOK, map[string]any{"faults": rules, "down": down})
}

func (o *Org) addFault(w http.ResponseWriter, r *http.Request) {
	var f kit.Fault
	if err := strict(r, &f); err != nil {
		writeFault(w, badRequest("JSON_PARSER_ERROR", "%s", err))
		return
	}
	added, err := o.faults.Add(f)
	switch {
	case errors.Is(err, kit.ErrTooManyFaults):
		writeFault(w, fault(http.StatusConflict, "LIMIT_EXCEEDED", "%s", err))
	case err != nil:
		writeFault(w, badRequest("INVALID_INPUT", "%s", err))
	default:
		writeJSON(w, http.StatusCreated, added)
	}
}

func strict(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	return dec.Decode(v) //nolint:wrapcheck // shown to the caller as it is
}

func (o *Org) setDown(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Down *bool `json:"down"`
	}
	if err := strict(r, &in); err != nil || in.Down == nil {
		writeFault(w, badRequest("INVALID_INPUT", `send {"down": true} or {"down": false}`))
		return
	}
	o.faults.SetDown(*in.Down)
	o.writeFaults(w)
}

func (o *Org) listRequests(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(orElse(r.URL.Query().Get("n"), "100"))
	if err != nil || n < 1 {
		n = 100
	}
	entries, total := o.Requests(min(n, logSize))
	list := make([]map[string]any, 0, len(entries))
	for _, e := range entries {
		list = append(list, map[string]any{
			"at": e.At.UTC(), "method": e.Method, "path": e.Path, "status": e.Status, "duration_ms": float64(e.Duration.Microseconds()) / 1000, "user": e.User,
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"requests": list, "total": total})
}

func (s *site) faults(w http.ResponseWriter, r *http.Request) { s.faultsPage(w, r, "") }

func (s *site) faultsPage(w http.ResponseWriter, r *http.Request, problem string) {
	d := pageData{Title: "Faults", Problem: problem}
	d.Faults, d.Down = s.org.faults.List()
	status := http.StatusOK
	if problem != "" {
		status = http.StatusBadRequest
	}
	s.show(w, r, status, "faults", d)
}

// switchFault carries out a form of the faults page.
func (s *site) switchFault(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.faultsPage(w, r, "The form cannot be read.")
		return
	}
	f := s.org.faults
	switch r.PostForm.Get("do") {
	case "down":
		f.SetDown(true)
	case "up":
		f.SetDown(false)
	case "clear":
		f.Clear()
	case "expire":
		s.org.ExpireSessions(r.Context())
	case "delete":
		f.Remove(r.PostForm.Get("id"))
	case "add":
		rule, err := faultOfForm(r)
		if err == nil {
			_, err = f.Add(rule)
		}
		if err != nil {
			s.faultsPage(w, r, err.Error())
			return
		}
	}
	http.Redirect(w, r, "/sandbox/faults", http.StatusSeeOther)
}

func faultOfForm(r *http.Request) (kit.Fault, error) {
	f := kit.Fault{
		Match: r.PostForm.Get("match"), Kind: kit.FaultKind(r.PostForm.Get("kind")), Code: r.PostForm.Get("code"),
	}
	for name, dest := range map[string]*int{"status": &f.Status, "delay_ms": &f.DelayMS, "count": &f.Count} {
		if v := r.PostForm.Get(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil {
				return f, errors.New(name + " must be a whole number")
			}
			*dest = n
		}
	}
	if v := r.PostForm.Get("share"); v != "" {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return f, errors.New("share must be a number between 0 and 1")
		}
		f.Share = n
	}
	return f, nil
}
