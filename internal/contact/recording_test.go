package contact_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

// record stores a recording of pieces and returns it.
func (r *rig) record(t *testing.T, contactID string, pieces ...[]byte) *contact.Recording {
	t.Helper()
	rec, err := r.StartRecording(r.ctx, tenant, contactID, time.UnixMilli(1_800_000_000_000).UTC(), contact.Participants{Agent: true, Customer: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if err := r.AppendRecording(r.ctx, rec, p); err != nil {
			t.Fatal(err)
		}
	}
	return rec
}

// TestRecordingReads: everything that was stored is one WAV file, which can be read from any place; a recording without an end too.
func TestRecordingReads(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		r := newRig(t, db)
		c := r.create(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		var ulaw []byte
		for i := range 3000 {
			ulaw = append(ulaw, byte(i), byte(i>>4))
		}
		r.record(t, c.ID, ulaw[:2000], ulaw[2000:2002])
		if err := r.EndRecordings(r.ctx, tenant, c.ID, time.UnixMilli(1_800_000_001_000)); err != nil {
			t.Fatal(err)
		}
		r.record(t, c.ID, ulaw[2002:])
		list, err := r.Recordings(r.ctx, tenant, c.ID)
		if err != nil || len(list) != 2 || list[0].Frames != 1001 || list[0].EndedAt.IsZero() || !list[1].EndedAt.IsZero() || !list[0].Agent || !list[0].Customer {
			t.Fatalf("recordings %+v, %v", list, err)
		}
		w, err := r.OpenRecording(r.ctx, tenant, c.ID, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(w)
		if err != nil || int64(len(raw)) != w.Size() {
			t.Fatalf("read %d of %d bytes, %v", len(raw), w.Size(), err)
		}
		clip, err := audio.ReadWAV(bytes.NewReader(raw), audio.Limits{})
		if err != nil || clip.Channels != 2 || clip.Rate != audio.Rate || len(clip.Samples) != len(ulaw) {
			t.Fatalf("%d channels, %d samples, %v", clip.Channels, len(clip.Samples), err)
		}
		for i, s := range clip.Samples {
			if s != audio.ULawSample(ulaw[i]) {
				t.Fatalf("sample %d is %d", i, s)
			}
		}
		at, err := w.Seek(-10, io.SeekEnd)
		tail, readErr := io.ReadAll(w)
		if err != nil || readErr != nil || at != w.Size()-10 || !bytes.Equal(tail, raw[len(raw)-10:]) {
			t.Errorf("the last bytes: %v %v", err, readErr)
		}
		if _, err := w.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		var size uint32
		if err := binary.Read(io.NewSectionReader(bytes.NewReader(raw), 40, 4), binary.LittleEndian, &size); err != nil || int(size) != len(raw)-44 {
			t.Errorf("the header says %d bytes, %v", size, err)
		}
		if _, err := w.Seek(-1, io.SeekStart); !errs.Is(err, errs.Invalid) {
			t.Errorf("before the beginning: %v", err)
		}
	})
}

// TestRecordingPurged: a contact's recordings go with it, and their keys: what was copied elsewhere cannot be heard.
func TestRecordingPurged(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		r := newRig(t, db)
		day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		c := r.create(t, day)
		rec := r.record(t, c.ID, []byte("two and two"))
		if _, err := r.Purge(r.ctx, tenant, day.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.OpenRecording(r.ctx, tenant, c.ID, day); !errs.Is(err, errs.NotFound) {
			t.Errorf("the recording: %v", err)
		}
		if _, err := r.ring.Key(r.ctx, tenant, keyring.Recording, rec.ID); !keyring.IsShredded(err) {
			t.Errorf("its key: %v", err)
		}
		if err := r.AppendRecording(r.ctx, rec, []byte("more")); !errs.Is(err, errs.NotFound) {
			t.Errorf("adding to it: %v", err)
		}
	})
}

// TestNothingRecorded: a contact without a recording has none.
func TestNothingRecorded(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		r := newRig(t, db)
		c := r.create(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		r.record(t, c.ID) // it has begun, but nothing was stored
		if _, err := r.OpenRecording(r.ctx, tenant, c.ID, time.Now()); !errs.Is(err, errs.NotFound) {
			t.Errorf("got %v", err)
		}
	})
}
