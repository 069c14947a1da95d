package sdp

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
)

func lines(l ...string) []byte { return []byte(strings.Join(l, "\r\n") + "\r\n") }

func TestParse(t *testing.T) {
	s, err := Parse(lines("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "a=sendonly",
		"m=video 5000 RTP/AVP 96", "a=rtpmap:96 VP8/90000",
		"m=audio 4000/1 RTP/AVP 8 0 97 101", "c=IN IP4 192.0.2.7", "a=rtpmap:0 PCMU/8000", "a=rtpmap:97 telephone-event/48000",
		"a=rtpmap:101 TELEPHONE-EVENT/8000/1", "a=fmtp:101 0-15", "a=ptime:20",
		"m=audio 0 RTP/AVP 0"))
	if err != nil {
		t.Fatal(err)
	}
	i := s.Audio()
	if i != 1 {
		t.Fatalf("audio is stream %d", i)
	}
	m := s.Media[i]
	if m.Port != 4000 || m.Addr != netip.MustParseAddr("192.0.2.7") || m.Dir != SendOnly || m.Events() != 101 || !m.Held() {
		t.Errorf("%+v", m)
	}
	if s.Media[0].Addr != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%+v", s.Media[0])
	}
	answer := Local{ID: 7, Version: 2, Addr: netip.MustParseAddr("198.51.100.9"), Port: 6000, Events: 101, Dir: m.Dir.Reverse()}.Answer(s, i)
	want := lines("v=0", "o=- 7 2 IN IP4 198.51.100.9", "s=-", "c=IN IP4 198.51.100.9", "t=0 0",
		"m=video 0 RTP/AVP 96",
		"m=audio 6000 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=recvonly",
		"m=audio 0 RTP/AVP 0")
	if diff := cmp.Diff(string(want), string(answer)); diff != "" {
		t.Error(diff)
	}
}

func TestOfferIsReadBack(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "2001:db8::1"} {
		l := Local{ID: 1, Version: 1, Addr: netip.MustParseAddr(addr), Port: 40000, Events: 101, Dir: SendRecv}
		s, err := Parse(l.Offer())
		if err != nil || s.Audio() != 0 {
			t.Fatalf("%v, %v", s, err)
		}
		if m := s.Media[0]; m.Addr != l.Addr || m.Port != l.Port || m.Events() != 101 || m.Dir != SendRecv || m.Held() {
			t.Errorf("%+v", m)
		}
	}
}

func TestUnusable(t *testing.T) {
	head := []string{"v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"}
	for name, media := range map[string][]string{
		"no media":         nil,
		"no PCMU":          {"m=audio 4000 RTP/AVP 8 101"},
		"encrypted":        {"m=audio 4000 RTP/SAVP 0"},
		"switched off":     {"m=audio 0 RTP/AVP 0"},
		"0 is mapped away": {"m=audio 4000 RTP/AVP 0", "a=rtpmap:0 G722/8000"},
		"host name":        {"m=audio 4000 RTP/AVP 0", "c=IN IP4 example.com"},
	} {
		s, err := Parse(lines(append(append([]string{}, head...), media...)...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if i := s.Audio(); i >= 0 {
			t.Errorf("%s: took stream %d", name, i)
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, body := range map[string][]byte{
		"empty":            nil,
		"not SDP":          []byte("hello"),
		"other version":    lines("v=1"),
		"line without =":   lines("v=0", "nonsense"),
		"blank in between": lines("v=0", "", "s=-"),
		"short m":          lines("v=0", "m=audio 4000 RTP/AVP"),
		"port too large":   lines("v=0", "m=audio 70000 RTP/AVP 0"),
		"wrong c":          lines("v=0", "c=IN IP5 1.2.3.4"),
		"stray rtpmap":     lines("v=0", "a=rtpmap:0 PCMU/8000"),
		"too long":         append(lines("v=0"), bytes.Repeat([]byte("a=x\r\n"), MaxSize)...),
		"long line":        lines("v=0", "s="+strings.Repeat("x", maxLine)),
		"many lines":       lines("v=0", strings.Repeat("a=x\n", maxLines+1)),
		"many media":       lines("v=0", strings.Repeat("m=audio 1 RTP/AVP 0\n", maxMedia)+"m=audio 1 RTP/AVP 0"),
		"many formats":     lines("v=0", "m=audio 1 RTP/AVP"+strings.Repeat(" 0", maxFormats+1)),
	} {
		if _, err := Parse(body); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse checks that whatever is read can be answered, and that the answer reads as one stream for each of the offer's.
func FuzzParse(f *testing.F) {
	f.Add([]byte("v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"))
	f.Add([]byte("v=0\nc=IN IP6 ::1\nm=audio 1/2 rtp/avp 0 8\na=inactive\nm=video 0 x y\n"))
	f.Add([]byte("v=0\nm=a\v 1 \x00 0\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := Parse(body)
		if err != nil {
			return
		}
		i := s.Audio()
		if i < 0 {
			return
		}
		m := s.Media[i]
		l := Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: 4000, Events: m.Events(), Dir: m.Dir.Reverse()}
		back, err := Parse(l.Answer(s, i))
		if err != nil {
			t.Fatalf("own answer: %v", err)
		}
		if len(back.Media) != len(s.Media) || back.Audio() != i {
			t.Errorf("answer %+v to %+v", back, s)
		}
	})
}
