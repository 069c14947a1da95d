package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// recordingTime is how long sending a recording may take.
const recordingTime = 30 * time.Minute

type recordingInfo struct {
	ID              string     `json:"id"`
	StartedAt       time.Time  `json:"startedAt"`
	EndedAt         *time.Time `json:"endedAt"`
	DurationSeconds int        `json:"durationSeconds"`
	Agent           bool       `json:"agent" doc:"the agent is heard, on the right"`
	Customer        bool       `json:"customer" doc:"the customer is heard, on the left"`
}

// recordingsOf tells what was recorded of a contact.
func (a *API) recordingsOf(ctx context.Context, contactID string) ([]recordingInfo, error) {
	list, err := a.Contacts.Recordings(ctx, a.Tenant, contactID)
	out := make([]recordingInfo, 0, len(list))
	for _, r := range list {
		out = append(out, recordingInfo{
			ID: r.ID, StartedAt: r.StartedAt, EndedAt: when(r.EndedAt), DurationSeconds: int(r.Duration().Seconds()), Agent: r.Agent, Customer: r.Customer,
		})
	}
	return out, err
}

// recordingOp describes and serves a contact's recording. It is written without huma, which knows no ranges: a player asks for parts.
func (a *API) recordingOp() {
	a.mux.HandleFunc("GET /api/v1/contacts/{id}/recording", a.serveRecording)
	o := op("GET", "/contacts/{id}/recording", "getRecording",
		"What was recorded of a contact, as one WAV file: the customer left, the agent right; each access is audited", "contacts", 200)
	o.Parameters = []*huma.Param{
		{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "Range", In: "header", Description: "a part of the file (RFC 9110)", Schema: &huma.Schema{Type: huma.TypeString}},
	}
	audio := map[string]*huma.MediaType{"audio/wav": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	o.Responses = map[string]*huma.Response{
		"200": {Description: "The recording", Content: audio}, "206": {Description: "The part that was asked for", Content: audio},
	}
	a.huma.OpenAPI().AddOperation(&o)
}

func (a *API) serveRecording(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	wav, err := a.Contacts.OpenRecording(r.Context(), a.Tenant, id, a.Clock.Now())
	if err != nil {
		writeProblem(w, a.fail(r.Context(), err))
		return
	}
	// A server without write deadlines has none to move.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(recordingTime))
	h := w.Header()
	h.Set("Content-Type", "audio/wav")
	h.Set("Content-Disposition", `inline; filename="recording-`+id+`.wav"`) // the id was found: it holds nothing strange
	http.ServeContent(w, r, "", time.Time{}, wav)
}
