package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func wavBytes(t testing.TB, c Clip, enc Encoding) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteWAV(&b, c, enc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWAVRoundTrip(t *testing.T) {
	t.Parallel()
	for _, enc := range []Encoding{PCM16, WAVULaw, WAVALaw} {
		for _, channels := range []int{1, 2} {
			for _, n := range []int{0, 2, 6, 1000} {
				in := Clip{Samples: Tone(440, -6, time.Second, Rate)[:n], Rate: 16000, Channels: channels}
				if enc != PCM16 { // what G.711 leaves of it
					in.Samples = (&wavFormat{encoding: enc}).decode((&wavFormat{encoding: enc}).encode(in.Samples)[:n])
				}
				file := wavBytes(t, in, enc)
				if len(file)%2 != 0 || int(binary.LittleEndian.Uint32(file[4:])) != len(file)-8 {
					t.Errorf("encoding %d: the file has %d bytes and says %d", enc, len(file), binary.LittleEndian.Uint32(file[4:])+8)
				}
				out, err := ReadWAV(bytes.NewReader(file), Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					in.Samples = []int16{}
				}
				if d := cmp.Diff(in, out); d != "" {
					t.Errorf("encoding %d, %d channels, %d samples: %s", enc, channels, n, d)
				}
			}
		}
	}
}

// header makes a WAV file by hand.
func header(tag, channels uint16, rate uint32, bits uint16, extra string, dataSize uint32, data string) string {
	var b bytes.Buffer
	le := binary.LittleEndian
	b.WriteString("RIFF\xff\xff\xff\xffWAVE" + extra + "fmt \x10\x00\x00\x00")
	b.Write(le.AppendUint16(nil, tag))
	b.Write(le.AppendUint16(nil, channels))
	b.Write(le.AppendUint32(nil, rate))
	b.Write(le.AppendUint32(nil, rate*uint32(channels)*uint32(bits)/8))
	b.Write(le.AppendUint16(nil, channels*bits/8))
	b.Write(le.AppendUint16(nil, bits))
	b.WriteString("data")
	b.Write(le.AppendUint32(nil, dataSize))
	b.WriteString(data)
	return b.String()
}

func TestReadWAVForms(t *testing.T) {
	t.Parallel()
	four := "\x01\x00\x02\x00\x03\x00\x04\x00"
	for name, file := range map[string]string{
		"plain":          header(1, 1, 8000, 16, "", 8, four),
		"to a pipe":      header(1, 1, 8000, 16, "", 0xFFFFFFFF, four),
		"size 0":         header(1, 1, 8000, 16, "", 0, four),
		"cut short":      header(1, 1, 8000, 16, "", 800, four),
		"half a sample":  header(1, 1, 8000, 16, "", 9, four+"\x05"),
		"other chunks":   header(1, 1, 8000, 16, "LIST\x03\x00\x00\x00abc\x00junk\x00\x00\x00\x00", 8, four),
		"chunks after":   header(1, 1, 8000, 16, "", 8, four+"LIST\x04\x00\x00\x00abcd"),
		"extensible PCM": "RIFF\x00\x00\x00\x00WAVEfmt \x28\x00\x00\x00\xfe\xff\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00\x16\x00\x10\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71data\x08\x00\x00\x00" + four,
	} {
		c, err := ReadWAV(strings.NewReader(file), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(Clip{Samples: []int16{1, 2, 3, 4}, Rate: 8000, Channels: 1}, c); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestReadWAVRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"nothing":        {"", "not a WAV file"},
		"an MP3":         {"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "not a WAV file"},
		"no chunks":      {"RIFF\x04\x00\x00\x00WAVE", "no samples"},
		"24 bits":        {header(1, 1, 8000, 24, "", 3, "abc"), "24 bits"},
		"8-bit PCM":      {header(1, 1, 8000, 8, "", 3, "abc"), "8 bits"},
		"float":          {header(3, 1, 8000, 32, "", 4, "abcd"), "not supported"},
		"three channels": {header(1, 3, 8000, 16, "", 6, "abcdef"), "3 channels"},
		"no channels":    {header(1, 0, 8000, 16, "", 6, "abcdef"), "0 channels"},
		"no rate":        {header(1, 1, 0, 16, "", 6, "abcdef"), "rate 0"},
		"too long":       {header(7, 1, 8000, 8, "", 0, strings.Repeat("x", 16001)), "longer than 2s"},
		"too large":      {header(7, 1, 192000, 8, "", 0, strings.Repeat("x", 40000)), "larger than 32000 bytes"},
		"data first":     {"RIFF\x00\x00\x00\x00WAVEdata\x02\x00\x00\x00ab", "before its format"},
		"short format":   {"RIFF\x00\x00\x00\x00WAVEfmt \x04\x00\x00\x00abcd", "format chunk"},
		"endless chunks": {"RIFF\x00\x00\x00\x00WAVE" + strings.Repeat("junk\x00\x00\x00\x00", 1000), "too many chunks"},
	} {
		_, err := ReadWAV(strings.NewReader(c.file), Limits{Bytes: 32000, Duration: 2 * time.Second})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if (c.want == "not a WAV file") != errors.Is(err, ErrNotWAV) {
			t.Errorf("%s: ErrNotWAV in %v", name, err)
		}
	}
	var b bytes.Buffer
	if err := WriteWAV(&b, Clip{Rate: 8000, Channels: 3}, PCM16); err == nil {
		t.Error("three channels are written")
	}
	if err := WriteWAV(&b, Clip{Rate: 8000, Channels: 1}, 3); err == nil {
		t.Error("an unknown encoding is written")
	}
}

func FuzzReadWAV(f *testing.F) {
	f.Add([]byte(header(1, 1, 8000, 16, "", 8, "abcdefgh")))
	f.Add([]byte(header(7, 2, 44100, 8, "LIST\x03\x00\x00\x00abc\x00", 0xFFFFFFFF, "abcdefgh")))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := ReadWAV(bytes.NewReader(file), Limits{Bytes: 1 << 16, Duration: time.Second})
		if err != nil {
			return
		}
		if c.Duration() > time.Second || len(c.Samples)%c.Channels != 0 {
			t.Fatalf("%d samples, %v", len(c.Samples), c.Duration())
		}
		var b bytes.Buffer
		if err := WriteWAV(&b, c, PCM16); err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		again, err := ReadWAV(&b, Limits{})
		if err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
		if len(c.Samples) > 0 {
			if d := cmp.Diff(c, again); d != "" {
				t.Fatal(d)
			}
		}
	})
}
