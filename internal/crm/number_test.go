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

func TestWithheld(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"": true, "anonymous": true, "+266696687": true, "Restricted": true, "7378742833": true, "+86282452253": true, "+14155550101": false, "911": false,
	} {
		if got := Withheld(number); got != want {
			t.Errorf("Withheld(%q) = %v", number, got)
		}
	}
}
