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
