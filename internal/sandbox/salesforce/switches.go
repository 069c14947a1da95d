package salesforce

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// switches adds the admin API below /sandbox/api:
//
//	GET    /sandbox/api/faults           the rules, the down switch and the skew
//	POST   /sandbox/api/faults           adds a rule (kit.Fault) and answers it with its id and seed: 201
//	DELETE /sandbox/api/faults[/{id}]    removes all rules, the down state and the skew, or one rule
//	PUT    /sandbox/api/down             {"down": true}: every API connection is closed unanswered
//	PUT    /sandbox/api/clock            {"skew_ms": 90000}: the org's clock runs ahead, or behind when negative
//	POST   /sandbox/api/sessions/expire[?user=]  ends all access tokens, or one user's
//	POST   /sandbox/api/events/forget    drops all events kept so far: replay ids of before are invalid from now on
//	POST   /sandbox/api/streams/cut      ends all streams: Pub/Sub subscriptions break, CometD clients are unknown
//	PUT    /sandbox/api/presence         {"user": "ada@example.org", "status": "Available"}: as the user does in the console
//	GET    /sandbox/api/requests?n=      the newest API requests
//
// A rule says what it strikes and how, all but "kind" may be left out:
//
//	{"kind": "cut_after", "match": "/sobjects/CaseComment", "method": "POST", "user": "ada@example.org",
//	 "share": 0.3, "seed": 7, "after": 2, "count": 5}
//
// The kinds are status (with "status", "code" and "message"), latency, slow and hang (with "delay_ms" and "jitter_ms"), cut, cut_after,
// truncate, expire, record (with "code" and "message", UNABLE_TO_LOCK_ROW by default), event_drop and event_gap; see
// kit.FaultKind for what each does.
func (o *Org) switches(mux *http.ServeMux) {
	mux.HandleFunc("GET /sandbox/api/faults", func(w http.ResponseWriter, _ *http.Request) { o.writeFaults(w) })
	mux.HandleFunc("POST /sandbox/api/faults", o.addFault)
	mux.HandleFunc("DELETE /sandbox/api/faults", func(w http.ResponseWriter, _ *http.Request) {
		o.ClearFaults()
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
	mux.HandleFunc("PUT /sandbox/api/clock", o.setClock)
	mux.HandleFunc("POST /sandbox/api/sessions/expire", func(w http.ResponseWriter, r *http.Request) {
		o.ExpireSessionsOf(r.Context(), r.URL.Query().Get("user"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /sandbox/api/events/forget", func(w http.ResponseWriter, r *http.Request) {
		if err := o.ForgetEvents(r.Context()); err != nil {
			o.writeFault(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /sandbox/api/streams/cut", func(w http.ResponseWriter, _ *http.Request) {
		o.CutStreams()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /sandbox/api/presence", o.setPresence)
	mux.HandleFunc("GET /sandbox/api/requests", o.listRequests)
}

func (o *Org) writeFaults(w http.ResponseWriter) {
	rules, down := o.faults.List()
	writeJSON(w, http.StatusOK, map[string]any{"faults": rules, "down": down, "skew_ms": o.Skew().Milliseconds()})
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

func (o *Org) setClock(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Skew *int64 `json:"skew_ms"`
	}
	if err := strict(r, &in); err != nil || in.Skew == nil || *in.Skew > maxSkew.Milliseconds() || *in.Skew < -maxSkew.Milliseconds() {
		writeFault(w, badRequest("INVALID_INPUT", `send {"skew_ms": n} with at most %d, or at least %[2]d`, maxSkew.Milliseconds(), -maxSkew.Milliseconds()))
		return
	}
	o.SetSkew(time.Duration(*in.Skew) * time.Millisecond)
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
	d := pageData{Title: "Faults", Problem: problem, Skew: s.org.Skew().Milliseconds(), Kinds: faultKinds()}
	d.Faults, d.Down = s.org.faults.List()
	status := http.StatusOK
	if problem != "" {
		status = http.StatusBadRequest
	}
	s.show(w, r, status, "faults", d)
}

// switchFault carries out a form of the faults page.
func (s *site) switchFault(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	if err == nil {
		err = s.throw(r)
	}
	if err != nil {
		s.faultsPage(w, r, messageOf(err))
		return
	}
	http.Redirect(w, r, "/sandbox/faults", http.StatusSeeOther)
}

// throw does what a button of the faults page says.
func (s *site) throw(r *http.Request) error {
	o := s.org
	switch r.PostForm.Get("do") {
	case "down":
		o.faults.SetDown(true)
	case "up":
		o.faults.SetDown(false)
	case "clear":
		o.ClearFaults()
	case "expire":
		o.ExpireSessions(r.Context())
	case "forget":
		return o.ForgetEvents(r.Context())
	case "streams":
		o.CutStreams()
	case "skew":
		ms, err := strconv.ParseInt(orElse(r.PostForm.Get("skew_ms"), "0"), 10, 64)
		if err != nil || ms > maxSkew.Milliseconds() || ms < -maxSkew.Milliseconds() {
			return errors.New("the skew must be a whole number of milliseconds, a day at most")
		}
		o.SetSkew(time.Duration(ms) * time.Millisecond)
	case "delete":
		o.faults.Remove(r.PostForm.Get("id"))
	case "add":
		rule, err := faultOfForm(r)
		if err == nil {
			_, err = o.faults.Add(rule)
		}
		return err
	}
	return nil
}

// faultKinds names the kinds of fault for people.
func faultKinds() []option {
	return []option{
		{string(kit.FaultStatus), "Answer with an error", false},
		{string(kit.FaultLatency), "Answer late", false},
		{string(kit.FaultSlow), "Send the answer slowly", false},
		{string(kit.FaultCut), "Cut before anything is done", false},
		{string(kit.FaultCutAfter), "Cut after it took effect", false},
		{string(kit.FaultTruncate), "Cut within the answer", false},
		{string(kit.FaultHang), "Hang, then cut", false},
		{string(kit.FaultExpire), "End the sessions first", false},
		{string(kit.FaultRecord), "Refuse single records", false},
		{string(kit.FaultEventDrop), "Lose events", false},
		{string(kit.FaultEventGap), "Send gap events", false},
	}
}

func faultOfForm(r *http.Request) (kit.Fault, error) {
	f := kit.Fault{
		Match: r.PostForm.Get("match"), Method: r.PostForm.Get("method"), User: strings.TrimSpace(r.PostForm.Get("user")),
		Kind: kit.FaultKind(r.PostForm.Get("kind")), Code: r.PostForm.Get("code"), Message: r.PostForm.Get("message"),
	}
	if v := r.PostForm.Get("seed"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return f, errors.New("seed must be a whole number")
		}
		f.Seed = n
	}
	for name, dest := range map[string]*int{"status": &f.Status, "delay_ms": &f.DelayMS, "jitter_ms": &f.JitterMS, "count": &f.Count, "after": &f.After} {
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
