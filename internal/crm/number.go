package crm

import "strings"

// Digits keeps the digits 0 to 9 of a telephone number as it was typed. It says nothing of whether the number exists.
func Digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number)
}

// Withheld reports whether a caller's number is none: empty, a word, or one of the numbers that spell such a word on a keypad, which
// networks send instead (266696687 is ANONYMOUS).
func Withheld(number string) bool {
	switch Digits(number) {
	case "", "266696687", "7378742833", "2562533", "8656696", "86282452253": // anonymous, restricted, blocked, unknown, unavailable
		return true
	}
	return false
}
