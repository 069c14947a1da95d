package durability

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"testing"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// What caller and agent say in these tests. Both repeat within a fortieth of a second, so that any stretch of one holds every phase.
const callerHz, agentHz = 440, 700

// audioForms are how a stretch of a tone may lie somewhere in clear: µ-law or 16-bit PCM.
func audioForms(hz int) (out [][]byte) {
	ulaw := softphone.Tone(hz)[:48]
	pcm := make([]byte, 0, 2*len(ulaw))
	for _, b := range ulaw {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(audio.ULawSample(b)))
	}
	return [][]byte{ulaw, pcm}
}

// holdsTone reports whether data holds a tone in clear, as one channel or one of two interleaved.
func holdsTone(data []byte, hz int) bool {
	for _, form := range audioForms(hz) {
		width := len(form) / 48
		if bytes.Contains(data, form) {
			return true
		}
		for offset := range 2 * width { // every second sample, wherever the first lies
			if bytes.Contains(everySecond(data, width, offset), form) {
				return true
			}
		}
	}
	return false
}

func everySecond(data []byte, width, offset int) []byte {
	out := make([]byte, 0, len(data)/2)
	for i := offset; i+width <= len(data); i += 2 * width {
		out = append(out, data[i:i+width]...)
	}
	return out
}

// audioLeaks reports what was said and can be heard where it should be sealed.
func audioLeaks(t *testing.T, where string, data []byte) {
	t.Helper()
	for who, hz := range map[string]int{"the caller": callerHz, "the agent": agentHz} {
		if holdsTone(data, hz) {
			t.Errorf("%s holds what %s said", where, who)
		}
	}
}

// recordAll makes every queue record.
func recordAll(h *hub.Hub) {
	var res struct{ Items []map[string]any }
	h.API().Must("GET", "/queues", nil, &res)
	for _, q := range res.Items {
		id, _ := q["id"].(string)
		delete(q, "id")
		delete(q, "version")
		q["record"] = true
		h.API().Must("PUT", "/queues/"+id, q, nil)
	}
}

// recordedBy waits until some of a contact was recorded.
func recordedBy(h *hub.Hub, id string) {
	h.Eventually("the call is recorded", func() bool {
		var r struct {
			Recordings []struct{ DurationSeconds int }
		}
		h.API().Must("GET", "/contacts/"+id, nil, &r)
		return len(r.Recordings) > 0 && r.Recordings[0].DurationSeconds > 0
	})
}

// heardBack checks that the tones are in the recording once it is opened: else the search for them would show nothing.
func heardBack(t *testing.T, h *hub.Hub, id string) {
	t.Helper()
	status, raw, err := h.API().Do("GET", "/contacts/"+id+"/recording", nil, nil)
	if err != nil || status != 200 {
		t.Fatalf("the recording: %d %v", status, err)
	}
	for _, hz := range []int{callerHz, agentHz} {
		if !holdsTone([]byte(raw), hz) {
			t.Errorf("%d Hz are not found in the opened recording: this test shows nothing about it", hz)
		}
	}
}

// checkPieces looks at the sealed pieces of recordings in PostgreSQL, which a text of the row hides.
func checkPieces(t *testing.T, db *sql.DB) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT body FROM recording_pieces")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	n := 0
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			t.Fatal(err)
		}
		audioLeaks(t, "a piece of a recording", body)
		n++
	}
	if err := rows.Err(); err != nil || n == 0 {
		t.Errorf("%d pieces, %v", n, err)
	}
}
