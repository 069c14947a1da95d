// Package sdp reads and writes the session descriptions of plain telephone calls (RFC 8866, offer/answer of RFC 3264): audio on
// RTP/AVP, G.711 µ-law and telephone events. Browsers' descriptions are not its business.
package sdp

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
)

// Limits of what is read. Real descriptions of telephones have under 2 kB, 40 lines and 4 media.
const (
	MaxSize    = 16 << 10
	maxLines   = 400
	maxLine    = 2 << 10
	maxMedia   = 16
	maxFormats = 64
)

// Direction of a stream, as its sender states it (RFC 3264 §5.1).
type Direction string

// Directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Reverse is the widest direction an answer may have.
func (d Direction) Reverse() Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	default:
		return d
	}
}

// Sends reports whether the side that states d sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether the side that states d receives.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Session is a description.
type Session struct {
	Media []Media
}

// Media is one m= section.
type Media struct {
	Type    string // "audio"
	Port    uint16 // 0: refused or switched off
	Proto   string // "RTP/AVP"
	Formats []string
	Addr    netip.Addr // of c=, the section's own or the session's; invalid if it is a host name or absent
	Dir     Direction
	Codecs  map[string]string // format -> rtpmap, e.g. "101" -> "telephone-event/8000"
}

// Parse reads a description. Lines it does not need are skipped; those it needs must be well formed.
func Parse(body []byte) (*Session, error) {
	if len(body) > MaxSize {
		return nil, invalid("it has %d bytes, the limit is %d", len(body), MaxSize)
	}
	p := parser{dir: SendRecv}
	lines := strings.Split(strings.TrimRight(string(body), "\r\n\x00"), "\n")
	if len(lines) > maxLines {
		return nil, invalid("it has %d lines, the limit is %d", len(lines), maxLines)
	}
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if len(line) > maxLine {
			return nil, invalid("line %d is longer than %d bytes", i+1, maxLine)
		}
		if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
			return nil, invalid("line %d is not of the form x=value", i+1)
		}
		if i == 0 && line != "v=0" {
			return nil, invalid("it does not begin with v=0")
		}
		if err := p.line(line[0], line[2:]); err != nil {
			return nil, err
		}
	}
	return p.finish(), nil
}

func invalid(format string, args ...any) error {
	return errs.New(errs.Invalid, "session description: "+format, args...)
}

type parser struct {
	session Session
	addr    netip.Addr
	dir     Direction
	set     []stated
}

// stated is what a stream says for itself; the rest it has from the session.
type stated struct{ dir, addr bool }

func (p *parser) last() *Media {
	if len(p.session.Media) == 0 {
		return nil
	}
	return &p.session.Media[len(p.session.Media)-1]
}

func (p *parser) line(kind byte, value string) error {
	switch kind {
	case 'm':
		return p.media(value)
	case 'c':
		return p.connection(value)
	case 'a':
		return p.attribute(value)
	default:
		return nil
	}
}

func (p *parser) media(value string) error {
	if len(p.session.Media) == maxMedia {
		return invalid("it has more than %d media", maxMedia)
	}
	f := strings.Fields(value)
	if len(f) < 4 {
		return invalid("m=%s lacks a part: it needs type, port, protocol and formats", value)
	}
	if len(f)-3 > maxFormats {
		return invalid("m= has more than %d formats", maxFormats)
	}
	portText, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return invalid("%q is no port", f[1])
	}
	p.session.Media = append(p.session.Media, Media{
		Type: strings.ToLower(f[0]), Port: uint16(port), Proto: strings.ToUpper(f[2]), Formats: f[3:], Codecs: map[string]string{},
	})
	p.set = append(p.set, stated{})
	return nil
}

func (p *parser) connection(value string) error {
	f := strings.Fields(value)
	if len(f) != 3 || f[0] != "IN" || (f[1] != "IP4" && f[1] != "IP6") {
		return invalid("c=%s is wrong: it needs IN, IP4 or IP6, and an address", value)
	}
	host, _, _ := strings.Cut(f[2], "/")
	addr, err := netip.ParseAddr(host)
	if err != nil { // a host name: legal, but we resolve none for audio
		addr = netip.Addr{}
	}
	if m := p.last(); m != nil {
		m.Addr = addr
		p.set[len(p.set)-1].addr = true
	} else {
		p.addr = addr
	}
	return nil
}

func (p *parser) attribute(value string) error {
	name, arg, _ := strings.Cut(value, ":")
	m := p.last()
	switch name {
	case string(SendRecv), string(SendOnly), string(RecvOnly), string(Inactive):
		if m == nil {
			p.dir = Direction(name)
			return nil
		}
		m.Dir = Direction(name)
		p.set[len(p.set)-1].dir = true
	case "rtpmap":
		if m == nil {
			return invalid("a=rtpmap stands before the first m=")
		}
		format, codec, ok := strings.Cut(arg, " ")
		if !ok || len(m.Codecs) >= maxFormats {
			return invalid("a=%s is wrong or one too many", value)
		}
		m.Codecs[format] = strings.ToLower(strings.TrimSpace(codec))
	default:
	}
	return nil
}

func (p *parser) finish() *Session {
	for i := range p.session.Media {
		m := &p.session.Media[i]
		if !p.set[i].dir {
			m.Dir = p.dir
		}
		if !p.set[i].addr {
			m.Addr = p.addr
		}
	}
	return &p.session
}

// Audio returns the index of the first stream that can carry PCMU on plain RTP, or -1.
func (s *Session) Audio() int {
	for i := range s.Media {
		m := &s.Media[i]
		if m.Type == "audio" && m.Port != 0 && m.Proto == "RTP/AVP" && m.pcmu() && m.Addr.IsValid() {
			return i
		}
	}
	return -1
}

func (m *Media) pcmu() bool {
	for _, f := range m.Formats {
		if f == "0" {
			codec, mapped := m.Codecs[f]
			return !mapped || codec == "pcmu/8000" || codec == "pcmu/8000/1"
		}
	}
	return false
}

// Events returns the payload type of telephone events at 8 kHz; 0 if there is none.
func (m *Media) Events() uint8 {
	for _, f := range m.Formats {
		codec := m.Codecs[f]
		if codec != "telephone-event/8000" && codec != "telephone-event/8000/1" {
			continue
		}
		if pt, err := strconv.ParseUint(f, 10, 7); err == nil && pt >= 96 {
			return uint8(pt)
		}
	}
	return 0
}

// Held reports whether the far end says it wants no audio now: a direction without receiving, or the address 0.0.0.0
// (RFC 2543 style).
func (m *Media) Held() bool { return !m.Dir.Receives() || m.Addr.IsUnspecified() }
