package contact

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/work"
)

// Recording is one recorded stretch of a conversation: stereo, the customer left and the agent right, 8000 frames a second. It is
// written piece by piece while the call goes on, each piece sealed under the recording's own key; what was written can be
// heard even if the end is missing.
type Recording struct {
	Tenant, ID, ContactID string
	StartedAt             time.Time
	EndedAt               time.Time // zero while it goes on, or when the hub died under it
	Participants
	Frames int64 // stored

	key *keyring.DataKey // for adding pieces; nil in one that was read
	seq int
}

// Duration returns how much was stored.
func (r *Recording) Duration() time.Duration {
	return time.Duration(r.Frames) * time.Second / audio.Rate
}

// Piece is a stored part of a recording, without its audio.
type Piece struct {
	RecordingID string
	Seq         int
	Frames      int
}

// RecordingTx stores recordings.
type RecordingTx interface {
	// InsertRecording stores a new recording without pieces.
	InsertRecording(ctx context.Context, r Recording) error
	// AppendRecording stores the next piece and counts its frames; errs.NotFound when the recording was purged meanwhile.
	AppendRecording(ctx context.Context, tenant string, p Piece, sealed []byte) error
	// EndRecordings notes when the recordings of a contact that go on have ended.
	EndRecordings(ctx context.Context, tenant, contactID string, at time.Time) error
	// Recordings returns a contact's recordings in the order in which they began.
	Recordings(ctx context.Context, tenant, contactID string) ([]Recording, error)
	// RecordingPieces returns the pieces of a recording in order.
	RecordingPieces(ctx context.Context, tenant, id string) ([]Piece, error)
	// RecordingPiece returns one sealed piece; errs.NotFound.
	RecordingPiece(ctx context.Context, tenant, id string, seq int) ([]byte, error)
	// PurgeRecordings removes a contact's recordings and returns their ids.
	PurgeRecordings(ctx context.Context, tenant, contactID string) ([]string, error)
}

func pieceAAD(id string, seq int) []byte { return fmt.Appendf(nil, "recording/%s/%d", id, seq) }

// StartRecording begins a recording of a contact with a key of its own.
func (s *Service) StartRecording(ctx context.Context, tenant, contactID string, at time.Time, who Participants) (*Recording, error) {
	if err := s.authz.Check(ctx, "contact:Record", ResourceARN(tenant, contactID)); err != nil {
		return nil, err
	}
	r := &Recording{Tenant: tenant, ID: ids.New(), ContactID: contactID, StartedAt: at, Participants: who}
	key, err := s.ring.NewDataKey(ctx, tenant, keyring.Recording, r.ID)
	if err != nil {
		return nil, fmt.Errorf("making the recording's key: %w", err)
	}
	r.key = key
	return r, s.store.Update(ctx, func(tx Tx) error {
		if err := tx.PutDataKey(ctx, key.Row()); err != nil {
			return err
		}
		return tx.InsertRecording(ctx, *r)
	})
}

// AppendRecording seals and stores the next piece: interleaved µ-law, customer first. One goroutine at a time adds to a recording.
func (s *Service) AppendRecording(ctx context.Context, r *Recording, stereo []byte) error {
	if err := s.authz.Check(ctx, "contact:Record", ResourceARN(r.Tenant, r.ContactID)); err != nil {
		return err
	}
	p := Piece{RecordingID: r.ID, Seq: r.seq, Frames: len(stereo) / 2}
	sealed := r.key.Seal(pieceAAD(r.ID, p.Seq), stereo)
	if err := s.store.Update(ctx, func(tx Tx) error { return tx.AppendRecording(ctx, r.Tenant, p, sealed) }); err != nil {
		return err
	}
	r.seq++
	r.Frames += int64(p.Frames)
	return nil
}

// EndRecordings notes when the recordings of a contact that go on have ended.
func (s *Service) EndRecordings(ctx context.Context, tenant, contactID string, at time.Time) error {
	if err := s.authz.Check(ctx, "contact:Record", ResourceARN(tenant, contactID)); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error { return tx.EndRecordings(ctx, tenant, contactID, at) })
}

// Recordings returns what was recorded of a contact, without the audio.
func (s *Service) Recordings(ctx context.Context, tenant, contactID string) (list []Recording, err error) {
	if err := s.authz.Check(ctx, "contact:Get", asked(tenant, contactID)); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) (err error) {
		list, err = tx.Recordings(ctx, tenant, contactID)
		return err
	})
	return list, err
}

// OpenRecording opens everything that was recorded of a contact as one WAV file and notes in the audit log who asked. errs.NotFound:
// there is none, or it was erased. ctx bounds the reading.
func (s *Service) OpenRecording(ctx context.Context, tenant, contactID string, now time.Time) (*WAV, error) {
	if err := s.authz.Check(ctx, "contact:GetRecording", asked(tenant, contactID)); err != nil {
		return nil, err
	}
	w := &WAV{ctx: ctx, open: s.piece, tenant: tenant, loaded: -1}
	var list []Recording
	if err := s.store.View(ctx, func(tx Tx) (err error) {
		if list, err = tx.Recordings(ctx, tenant, contactID); err != nil {
			return err
		}
		w.reset()
		for _, r := range list {
			pieces, err := tx.RecordingPieces(ctx, tenant, r.ID)
			if err != nil {
				return err
			}
			w.add(pieces)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if w.frames == 0 {
		return nil, errs.New(errs.NotFound, "nothing was recorded of this contact, or it was erased")
	}
	return w, s.noteAccess(ctx, tenant, contactID, now, list)
}

func (s *Service) noteAccess(ctx context.Context, tenant, contactID string, now time.Time, list []Recording) error {
	names := make([]string, 0, len(list))
	for _, r := range list {
		names = append(names, r.ID)
	}
	detail, err := json.Marshal(map[string]any{"recordings": names})
	if err != nil {
		return fmt.Errorf("encoding an audit entry: %w", err)
	}
	p, _ := caller.From(ctx)
	return s.store.Update(ctx, func(tx Tx) error {
		return tx.Audit(ctx, work.Audit{
			Tenant: tenant, At: now, Principal: p.ARN, Action: "contact:GetRecording", Resource: ResourceARN(tenant, contactID), Outcome: "ok", Detail: detail,
		})
	})
}

// piece reads and opens one piece of audio.
func (s *Service) piece(ctx context.Context, tenant string, p Piece) ([]byte, error) {
	var sealed []byte
	if err := s.store.View(ctx, func(tx Tx) (err error) {
		sealed, err = tx.RecordingPiece(ctx, tenant, p.RecordingID, p.Seq)
		return err
	}); err != nil {
		return nil, err
	}
	plain, err := s.ring.Open(ctx, tenant, sealed, pieceAAD(p.RecordingID, p.Seq))
	if err != nil {
		return nil, fmt.Errorf("opening a recording: %w", err)
	}
	return plain, nil
}

const (
	wavHeader  = 44
	frameBytes = 4 // two channels of 16 bits
	maxFrames  = (1<<32 - 1 - wavHeader) / frameBytes
)

// WAV is a recording as a file of 16-bit stereo PCM; it is not safe for concurrent use. It implements io.ReadSeeker, and holds one
// piece at a time.
type WAV struct {
	ctx    context.Context //nolint:containedctx // of the one request that reads it
	open   func(ctx context.Context, tenant string, p Piece) ([]byte, error)
	tenant string
	pieces []Piece
	begins []int64 // first frame of each piece
	frames int64
	pos    int64
	loaded int // piece in pcm
	pcm    []byte
}

func (w *WAV) reset() { w.pieces, w.begins, w.frames = nil, nil, 0 }

func (w *WAV) add(pieces []Piece) {
	for _, p := range pieces {
		if w.frames+int64(p.Frames) > maxFrames {
			return // a WAV file holds no more: 37 hours
		}
		w.pieces, w.begins = append(w.pieces, p), append(w.begins, w.frames)
		w.frames += int64(p.Frames)
	}
}

// Size returns the file's length in bytes.
func (w *WAV) Size() int64 { return wavHeader + w.frames*frameBytes }

// Seek implements io.Seeker.
func (w *WAV) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += w.pos
	case io.SeekEnd:
		offset += w.Size()
	}
	if offset < 0 {
		return 0, errs.New(errs.Invalid, "a position before the beginning")
	}
	w.pos = offset
	return offset, nil
}

// Read implements io.Reader.
func (w *WAV) Read(p []byte) (int, error) {
	if w.pos >= w.Size() {
		return 0, io.EOF
	}
	if w.pos < wavHeader {
		n := copy(p, w.header()[w.pos:])
		w.pos += int64(n)
		return n, nil
	}
	at := w.pos - wavHeader
	i := sort.Search(len(w.begins), func(i int) bool { return w.begins[i]*frameBytes > at }) - 1
	if err := w.load(i); err != nil {
		return 0, err
	}
	n := copy(p, w.pcm[at-w.begins[i]*frameBytes:])
	w.pos += int64(n)
	return n, nil
}

// load makes the PCM of a piece; one that is shorter than stated is filled up with silence.
func (w *WAV) load(i int) error {
	if w.loaded == i {
		return nil
	}
	ulaw, err := w.open(w.ctx, w.tenant, w.pieces[i])
	if err != nil {
		return err
	}
	w.pcm = make([]byte, w.pieces[i].Frames*frameBytes)
	for j := range min(len(ulaw), w.pieces[i].Frames*2) {
		binary.LittleEndian.PutUint16(w.pcm[2*j:], uint16(audio.ULawSample(ulaw[j]))) //nolint:gosec // the sample's bits
	}
	w.loaded = i
	return nil
}

func (w *WAV) header() []byte {
	size := uint32(w.frames * frameBytes) //nolint:gosec // at most maxFrames
	h := make([]byte, 0, wavHeader)
	le := binary.LittleEndian
	h = le.AppendUint32(append(h, "RIFF"...), size+wavHeader-8)
	h = le.AppendUint32(append(h, "WAVEfmt "...), 16)
	h = le.AppendUint16(le.AppendUint16(h, 1), 2)
	h = le.AppendUint32(le.AppendUint32(h, audio.Rate), audio.Rate*frameBytes)
	h = le.AppendUint16(le.AppendUint16(h, frameBytes), 16)
	return le.AppendUint32(append(h, "data"...), size)
}
