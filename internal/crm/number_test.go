package crm

import "testing"

func TestDigits(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"": "", "+1 (555) 123-4567": "15551234567", "0171/23 45 67 ext. 8": "01712345678", "\u0661\u0662x": "", "none": "",
	} {
		if got := Digits(typed); got != want {
			t.Errorf("Digits(%q) = %q, want %q", typed, got, want)
		}
	}
}
