package softphone

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/phone/media"
)

const (
	wavHeaderSize = 44
	// maxLag is how far the recording may lie behind the clock before the gap is filled with silence: jitter is less.
	maxLag = 120 * time.Millisecond
	// maxFill bounds one gap's silence.
	maxFill = time.Hour
)

// recorder writes 16-bit mono WAV at 8 kHz in real time: gaps become silence. After an error it writes no more.
type recorder struct {
	w       io.WriteSeeker
	start   time.Time
	written int // samples
	err     error
	buf     []byte
}

func (r *recorder) write(ulaw []byte, now time.Time) {
	if r.start.IsZero() {
		r.start = now
		_, r.err = r.w.Write(wavHeader(0))
	}
	if lag := now.Sub(r.start) - r.length(); lag > maxLag {
		r.put(make([]int16, int(min(lag, maxFill)*media.SampleRate/time.Second)))
	}
	r.put(audio.DecodeULaw(nil, ulaw))
}

func (r *recorder) length() time.Duration {
	return time.Duration(r.written) * time.Second / media.SampleRate
}

func (r *recorder) put(samples []int16) {
	if r.err != nil {
		return
	}
	r.buf = r.buf[:0]
	for _, s := range samples {
		r.buf = binary.LittleEndian.AppendUint16(r.buf, uint16(s)) //nolint:gosec // two's complement is meant
	}
	_, r.err = r.w.Write(r.buf)
	r.written += len(samples)
}

// close writes the final header.
func (r *recorder) close() {
	if r.start.IsZero() {
		_, r.err = r.w.Write(wavHeader(0))
		return
	}
	if r.err != nil {
		return
	}
	if _, r.err = r.w.Seek(0, io.SeekStart); r.err == nil {
		_, r.err = r.w.Write(wavHeader(2 * r.written))
	}
}

func wavHeader(dataSize int) []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, wavHeaderSize), "RIFF"...)
	b = le.AppendUint32(b, uint32(wavHeaderSize-8+dataSize)) //nolint:gosec // a call of 37 hours would wrap
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1) // PCM
	b = le.AppendUint16(b, 1) // mono
	b = le.AppendUint32(b, media.SampleRate)
	b = le.AppendUint32(b, 2*media.SampleRate)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	return le.AppendUint32(b, uint32(dataSize)) //nolint:gosec // see above
}
