package speech

import (
	"slices"
	"strings"
	"unicode"
)

// sentenceEnds are the marks after which a speaker breathes.
const sentenceEnds = ".!?…。！？"

// Split cuts a text into sentences of at most limit characters, so that each is synthesised and cached on its own. White
// space is collapsed and control characters go. A longer sentence is cut after a comma, else at a space, else hard. A
// full stop after an initial or a usual abbreviation ends no sentence. A text without a letter or digit gives nothing.
func Split(text string, limit int) []string {
	limit = max(limit, 1)
	var out []string
	var sentence []string
	flush := func() {
		if len(sentence) > 0 {
			out = append(out, wrap(strings.Join(sentence, " "), limit)...)
			sentence = sentence[:0]
		}
	}
	for _, word := range strings.FieldsFunc(text, blank) {
		sentence = append(sentence, word)
		if endsSentence(word) {
			flush()
		}
	}
	flush()
	return slices.DeleteFunc(out, func(s string) bool { return strings.IndexFunc(s, spoken) < 0 })
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func spoken(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// endsSentence looks behind closing quotes and brackets.
func endsSentence(word string) bool {
	word = strings.TrimRight(word, "\"'”’)]»")
	body := strings.TrimRight(word, sentenceEnds)
	switch {
	case body == word:
		return false
	case word != body+".":
		return true
	}
	letters := []rune(body)
	if len(letters) == 1 && unicode.IsUpper(letters[0]) {
		return false
	}
	return !slices.Contains([]string{"mr", "mrs", "ms", "dr", "prof", "st", "no", "vs", "etc", "ext", "inc", "e.g", "i.e"}, strings.ToLower(body))
}

// wrap cuts one sentence into parts of at most limit characters.
func wrap(sentence string, limit int) []string {
	var out []string
	runes := []rune(sentence)
	for len(runes) > limit {
		cut := cutAt(runes[:limit+1])
		out = append(out, strings.TrimSpace(string(runes[:cut])))
		runes = []rune(strings.TrimSpace(string(runes[cut:])))
	}
	return append(out, string(runes))
}

// cutAt returns where to cut so that at most len(runes)-1 are before the cut.
func cutAt(runes []rune) int {
	space := 0
	for i := len(runes) - 1; i > 0; i-- {
		if runes[i] != ' ' {
			continue
		}
		if strings.ContainsRune(",;:", runes[i-1]) && i > len(runes)/4 {
			return i
		}
		if space == 0 {
			space = i
		}
	}
	if space > 0 {
		return space
	}
	return len(runes) - 1
}
