package salesforce

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
)

// apexAnswer is what stands in for an Apex class of the org: the answer to a method and path below /services/apexrest.
type apexAnswer struct {
	Method string          `json:"method"` // GET, POST, PUT, PATCH or DELETE
	Path   string          `json:"path"`   // "/calls/lookup"; one that ends in /* takes what is below it
	Status int             `json:"status"` // 200 if 0
	Body   json.RawMessage `json:"body"`   // JSON; none: an empty answer
}

// apexAnswers are kept in memory: who relies on them sets them.
type apexAnswers struct {
	mu   sync.RWMutex // guards list
	list []apexAnswer
}

const (
	maxApexAnswers = 200
	apexMismatch   = "Could not find a match for URL"
)

// apexSwitches adds PUT /sandbox/api/apexrest, which sets an answer or replaces it, and DELETE, which removes all.
func (o *Org) apexSwitches(mux *http.ServeMux) {
	mux.HandleFunc("PUT /sandbox/api/apexrest", func(w http.ResponseWriter, r *http.Request) {
		var a apexAnswer
		err := strict(r, &a)
		a.Method, a.Path = strings.ToUpper(a.Method), "/"+strings.Trim(a.Path, "/")
		if a.Status == 0 {
			a.Status = http.StatusOK
		}
		if err != nil || a.Method == "" || a.Status < http.StatusOK || a.Status > 599 || !o.apex.set(a) {
			writeFault(w, badRequest("INVALID_INPUT", "send method, path, status from 200 to 599 and body; %d answers are taken", maxApexAnswers))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /sandbox/api/apexrest", func(w http.ResponseWriter, _ *http.Request) {
		o.apex.mu.Lock()
		defer o.apex.mu.Unlock()
		o.apex.list = nil
		w.WriteHeader(http.StatusNoContent)
	})
}

func (a *apexAnswers) set(next apexAnswer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, old := range a.list {
		if old.Method == next.Method && strings.EqualFold(old.Path, next.Path) {
			a.list[i] = next
			return true
		}
	}
	if len(a.list) >= maxApexAnswers {
		return false
	}
	a.list = append(a.list, next)
	return true
}

// find returns the answer to a request: that of the exact path before those that take what is below one, the longest first.
func (a *apexAnswers) find(method, path string) (best apexAnswer, found bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, x := range a.list {
		prefix, below := strings.CutSuffix(x.Path, "/*")
		match := strings.EqualFold(x.Path, path) || below && len(path) > len(prefix) && strings.EqualFold(path[:len(prefix)+1], prefix+"/")
		if x.Method != method || !match {
			continue
		}
		if strings.EqualFold(x.Path, path) {
			return x, true
		}
		if !found || len(x.Path) > len(best.Path) {
			best, found = x, true
		}
	}
	return best, found
}

// apexREST answers below /services/apexrest.
func (o *Org) apexREST(w http.ResponseWriter, r *http.Request, segs []string) {
	if o.admit(w, r) == nil {
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		o.writeFault(w, r, err)
		return
	}
	a, found := o.apex.find(r.Method, "/"+strings.Join(segs, "/"))
	switch {
	case !found:
		writeFault(w, fault(http.StatusNotFound, "NOT_FOUND", apexMismatch))
	case len(a.Body) == 0:
		w.WriteHeader(a.Status)
	default:
		writeJSON(w, a.Status, a.Body)
	}
}
