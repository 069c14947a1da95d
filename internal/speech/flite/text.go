package flite

import (
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func semitones(n float64) float64 { return math.Pow(2, n/12) }

// ascii writes a text with the letters flite knows: accents go, typographic marks become plain ones, currency signs
// become words, and what is left of other scripts becomes a space.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(text) {
		switch {
		case r < 0x20 || r == 0x7F:
			b.WriteByte(' ')
		case r < 0x7F:
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // the accent of the letter before
		default:
			b.WriteString(spelling(r))
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// spelling returns how one character is written in ASCII, a space when it cannot be.
func spelling(r rune) string {
	switch r {
	case '‘', '’', 'ʼ':
		return "'"
	case '“', '”', '„', '«', '»':
		return `"`
	case '–', '—', '…', '。', '、':
		return ", "
	case '€':
		return " euros "
	case '£':
		return " pounds "
	case '¥':
		return " yen "
	case '°':
		return " degrees "
	case 'ß':
		return "ss"
	case 'æ', 'Æ':
		return "ae"
	case 'œ', 'Œ':
		return "oe"
	case 'ø', 'Ø':
		return "o"
	case 'ł', 'Ł':
		return "l"
	case 'đ', 'Đ', 'ð', 'Ð':
		return "d"
	case 'þ', 'Þ':
		return "th"
	case 'ı':
		return "i"
	}
	return " "
}
