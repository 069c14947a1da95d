package job

import (
	"encoding/json"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// Stage says how far a run came that changes something elsewhere.
type Stage string

// The stages. A job that is found in StageSending or StageDoubtful may have had its effect.
const (
	StageNone     Stage = ""         // nothing was sent, or what was sent was refused without an effect
	StageSending  Stage = "sending"  // about to be sent, or sent: stored before the request goes out
	StageDoubtful Stage = "doubtful" // sent, and the answer does not tell whether it had its effect
	StageDone     Stage = "done"     // the other side has said that it has taken it
)

// Delivery is how often an effect may happen when something fails on the way.
type Delivery string

// The deliveries. An empty one is not known yet.
const (
	ExactlyOnce Delivery = "exactly_once"
	AtLeastOnce Delivery = "at_least_once"
)

// Progress is what a handler keeps of a run so that the next one, maybe after a crash, knows what may have happened. It is
// stored in clear: it holds no personal data.
type Progress struct {
	Stage    Stage    `json:"stage,omitempty"`
	Delivery Delivery `json:"delivery,omitempty"`
	// How says what makes the delivery exact: "external id", "marker", "comparison", "conditional"; or why nothing does.
	How    string `json:"how,omitempty"`
	Marker string `json:"marker,omitempty"` // the text that names this write on the other side
	// SentAt is when the request last went out; ClearAt when it is certain that the other side no longer works on it.
	SentAt  time.Time `json:"sentAt,omitzero"`
	ClearAt time.Time `json:"clearAt,omitzero"`
}

// Encode returns the text form of a progress; the zero one is empty.
func (p Progress) Encode() string {
	if p == (Progress{}) {
		return ""
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return "" // a struct of texts and times always encodes
	}
	return string(raw)
}

// DecodeProgress reads what Encode wrote.
func DecodeProgress(text string) (p Progress, err error) {
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Progress{}, errs.Wrap(errs.Internal, err, "a job's progress cannot be read")
	}
	return p, nil
}
