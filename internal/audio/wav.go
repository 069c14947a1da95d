package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Encoding is how a WAV file holds its samples.
type Encoding uint16

// The encodings by their WAVE format tags (RFC 2361).
const (
	PCM16   Encoding = 1
	WAVALaw Encoding = 6
	WAVULaw Encoding = 7
)

const formatExtensible = 0xFFFE

// Limits bound what ReadWAV takes; zero values mean the defaults.
type Limits struct {
	// Bytes is the most a file may have, headers included; 64 MiB by default.
	Bytes int64
	// Duration is the longest a clip may play; one hour by default.
	Duration time.Duration
}

const (
	defaultWAVBytes    = 64 << 20
	defaultWAVDuration = time.Hour
	maxChunks          = 256 // before the samples; a hostile file could have millions of empty ones
)

// ErrNotWAV tells a file that is no WAV file from one that is damaged or not supported.
var ErrNotWAV = errors.New("not a WAV file: it must start with RIFF and WAVE")

// ReadWAV reads a WAV file: 16-bit PCM, µ-law or A-law, mono or stereo. Chunks it does not know are skipped. A data
// chunk of size 0 or 0xFFFFFFFF, as programs write to a pipe, goes to the end of the input; a file cut short gives the
// samples that are there. Errors say what to change about the file.
func ReadWAV(r io.Reader, lim Limits) (Clip, error) {
	if lim.Bytes <= 0 {
		lim.Bytes = defaultWAVBytes
	}
	if lim.Duration <= 0 {
		lim.Duration = defaultWAVDuration
	}
	in := &io.LimitedReader{R: r, N: lim.Bytes + 1}
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return Clip{}, fmt.Errorf("reading WAV header: %w", notWAV(err))
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return Clip{}, ErrNotWAV
	}
	var format *wavFormat
	for range maxChunks {
		id, size, err := readChunkHeader(in)
		if err != nil {
			return Clip{}, fmt.Errorf("reading WAV: no samples found: %w", err)
		}
		switch {
		case id == "fmt ":
			if format, err = readFormat(in, size); err != nil {
				return Clip{}, err
			}
		case id == "data" && format == nil:
			return Clip{}, errors.New("WAV file has its data before its format: save it again with another program")
		case id == "data":
			return format.readData(in, size, lim)
		default:
			if err := skip(in, int64(size)+int64(size&1)); err != nil {
				return Clip{}, fmt.Errorf("reading WAV chunk: %w", err)
			}
		}
	}
	return Clip{}, errors.New("WAV file has too many chunks: save it again without metadata")
}

func notWAV(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrNotWAV
	}
	return err
}

func readChunkHeader(r io.Reader) (id string, size uint32, err error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", 0, err
	}
	return string(b[:4]), binary.LittleEndian.Uint32(b[4:]), nil
}

func skip(r io.Reader, n int64) error {
	copied, err := io.CopyN(io.Discard, r, n)
	if err != nil {
		return fmt.Errorf("%d of %d bytes: %w", copied, n, err)
	}
	return nil
}

type wavFormat struct {
	encoding Encoding
	channels int
	rate     int
}

func readFormat(r io.Reader, size uint32) (*wavFormat, error) {
	if size < 16 || size > 4096 {
		return nil, fmt.Errorf("WAV format chunk has %d bytes, 16 to 4096 expected", size)
	}
	b := make([]byte, size+size&1)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("reading WAV format: %w", err)
	}
	tag := binary.LittleEndian.Uint16(b)
	if tag == formatExtensible && size >= 26 {
		tag = binary.LittleEndian.Uint16(b[24:]) // the sub-format's GUID starts with the plain tag
	}
	f := &wavFormat{
		encoding: Encoding(tag),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
	}
	depth := int(binary.LittleEndian.Uint16(b[14:]))
	return f, f.check(depth)
}

func (f *wavFormat) check(depth int) error {
	want := 8
	switch f.encoding {
	case PCM16:
		want = 16
	case WAVALaw, WAVULaw:
	default:
		return fmt.Errorf("WAV format %#x is not supported: save the file as 16-bit PCM or µ-law", uint16(f.encoding))
	}
	switch {
	case depth != want:
		return fmt.Errorf("WAV samples of %d bits are not supported: save the file as 16-bit PCM or µ-law", depth)
	case f.channels != 1 && f.channels != 2:
		return fmt.Errorf("WAV file has %d channels: save it as mono or stereo", f.channels)
	case f.rate < MinRate || f.rate > MaxRate:
		return fmt.Errorf("WAV sampling rate %d is not supported: use %d to %d", f.rate, MinRate, MaxRate)
	}
	return nil
}

func (f *wavFormat) width() int {
	if f.encoding == PCM16 {
		return 2
	}
	return 1
}

func (f *wavFormat) readData(in *io.LimitedReader, size uint32, lim Limits) (Clip, error) {
	frame := int64(f.width() * f.channels)
	maxData := int64(lim.Duration.Seconds() * float64(f.rate) * float64(frame))
	var src io.Reader = in
	if size != 0 && size != 0xFFFFFFFF {
		src = io.LimitReader(in, int64(size))
	}
	data, err := io.ReadAll(io.LimitReader(src, maxData+1))
	if err != nil {
		return Clip{}, fmt.Errorf("reading WAV samples: %w", err)
	}
	if int64(len(data)) > maxData {
		return Clip{}, fmt.Errorf("WAV file plays longer than %v: shorten it", lim.Duration)
	}
	if in.N <= 0 {
		return Clip{}, fmt.Errorf("WAV file is larger than %d bytes: shorten it or save it as µ-law", lim.Bytes)
	}
	data = data[:int64(len(data))/frame*frame]
	return Clip{Samples: f.decode(data), Rate: f.rate, Channels: f.channels}, nil
}

func (f *wavFormat) decode(data []byte) []int16 {
	out := make([]int16, 0, len(data)/f.width())
	switch f.encoding {
	case WAVULaw:
		return DecodeULaw(out, data)
	case WAVALaw:
		return DecodeALaw(out, data)
	default:
		for i := 0; i+1 < len(data); i += 2 {
			out = append(out, int16(binary.LittleEndian.Uint16(data[i:]))) //nolint:gosec // two's complement by definition
		}
		return out
	}
}

// WriteWAV writes a clip as a WAV file in the given encoding.
func WriteWAV(w io.Writer, c Clip, enc Encoding) error {
	f := wavFormat{encoding: enc, channels: c.Channels, rate: c.Rate}
	if err := f.check(8 * f.width()); err != nil {
		return err
	}
	size := len(c.Samples) * f.width()
	if int64(size) > 0xFFFFFFFF-64 {
		return errors.New("clip is too long for a WAV file (4 GiB)")
	}
	if _, err := w.Write(f.header(size, len(c.Samples)/c.Channels)); err != nil {
		return fmt.Errorf("writing WAV header: %w", err)
	}
	if _, err := w.Write(f.encode(c.Samples)); err != nil {
		return fmt.Errorf("writing WAV samples: %w", err)
	}
	return nil
}

// header returns everything before the samples. Encodings other than PCM have an extension size and a fact chunk.
func (f *wavFormat) header(size, frames int) []byte {
	var b bytes.Buffer
	le := binary.LittleEndian
	u16 := func(v int) { b.Write(le.AppendUint16(nil, uint16(v))) } //nolint:gosec // checked by the caller
	u32 := func(v int) { b.Write(le.AppendUint32(nil, uint32(v))) } //nolint:gosec // checked by the caller
	formatSize, factSize := 16, 0
	if f.encoding != PCM16 {
		formatSize, factSize = 18, 12
	}
	b.WriteString("RIFF")
	u32(4 + 8 + formatSize + factSize + 8 + size + size&1)
	b.WriteString("WAVEfmt ")
	u32(formatSize)
	u16(int(f.encoding))
	u16(f.channels)
	u32(f.rate)
	u32(f.rate * f.channels * f.width())
	u16(f.channels * f.width())
	u16(8 * f.width())
	if factSize > 0 {
		u16(0)
		b.WriteString("fact")
		u32(4)
		u32(frames)
	}
	b.WriteString("data")
	u32(size)
	return b.Bytes()
}

// encode returns the samples in the file's encoding, padded to an even length.
func (f *wavFormat) encode(samples []int16) []byte {
	out := make([]byte, 0, len(samples)*f.width()+1)
	switch f.encoding {
	case WAVULaw:
		out = EncodeULaw(out, samples)
	case WAVALaw:
		out = EncodeALaw(out, samples)
	default:
		for _, s := range samples {
			out = binary.LittleEndian.AppendUint16(out, uint16(s)) //nolint:gosec // two's complement by definition
		}
	}
	if len(out)%2 == 1 {
		out = append(out, 0)
	}
	return out
}
