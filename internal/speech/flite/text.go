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
	forms := plainForms()
	for _, r := range norm.NFKD.String(text) {
		switch {
		case r < 0x20 || r == 0x7F:
			b.WriteByte(' ')
		case r < 0x7F:
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // the accent of the letter before
		case forms[r] != "":
			b.WriteString(forms[r])
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// plainForms returns the ASCII spelling of what Unicode has no decomposition for.
func plainForms() map[rune]string {
	return map[rune]string{
		'‘': "'", '’': "'", 'ʼ': "'", '“': `"`, '”': `"`, '„': `"`, '«': `"`, '»': `"`,
		'–': ", ", '—': ", ", '…': ", ", '。': ", ", '、': ", ",
		'€': " euros ", '£': " pounds ", '¥': " yen ", '°': " degrees ",
		'ß': "ss", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe", 'ø': "o", 'Ø': "o", 'ł': "l", 'Ł': "l",
		'đ': "d", 'Đ': "d", 'ð': "d", 'Ð': "d", 'þ': "th", 'Þ': "th", 'ı': "i",
	}
}
