package salesforce

import (
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	decimals "golang.org/x/text/number"
)

// region is what a query takes of where its user is.
type region struct {
	zone   *time.Location
	locale string // as the platform names it: en_US, de, pt_BR
}

const usualLocale = "en_US"

// Where weeks do not start on Monday, by country (Unicode CLDR, week data).
const (
	sundayCountries = "AG AS BD BR BS BT BW BZ CA CO DM DO ET GT GU HK HN ID IL IN JM JP KE KH KR LA MH MM MO MT MX MZ NI NP PA PE PH PK " +
		"PR PT PY SA SG SV TH TT TW UM US VE VI WS YE ZA ZW"
	saturdayCountries = "AE AF BH DJ DZ EG IQ IR JO KW LY OM QA SD SY"
)

// firstWeekday is the day weeks start on for the users of a locale.
func firstWeekday(locale string) time.Weekday {
	country, _ := languageOf(locale).Region()
	for _, w := range []struct {
		day       time.Weekday
		countries string
	}{{time.Sunday, sundayCountries}, {time.Saturday, saturdayCountries}} {
		if strings.Contains(w.countries, country.String()) {
			return w.day
		}
	}
	return time.Monday
}

func languageOf(locale string) language.Tag {
	if locale == "" {
		locale = usualLocale
	}
	return language.Make(strings.ReplaceAll(locale, "_", "-"))
}

// written is how days and times are written.
type written struct{ date, clock, between string }

const dayClock = "15:04"

// writtenIn tells the ways of a locale: that of its country, else that of its language.
func writtenIn(locale string) written {
	ways := map[string]written{
		"en_us": {"1/2/2006", "3:04 PM", ", "}, "en_ca": {"2006-01-02", "3:04 PM", ", "}, "en": {"02/01/2006", dayClock, ", "},
		"de": {"02.01.2006", dayClock, ", "}, "fr": {"02/01/2006", dayClock, " "}, "fr_ca": {"2006-01-02", dayClock, " "},
		"fr_ch": {"02.01.2006", dayClock, " "}, "es": {"2/1/2006", dayClock, ", "}, "it": {"02/01/2006", dayClock, ", "},
		"nl": {"02-01-2006", dayClock, " "}, "pt": {"02/01/2006", dayClock, ", "}, "ja": {"2006/01/02", "15:04", " "},
		"sv": {"2006-01-02", dayClock, " "}, "da": {"02.01.2006", "15.04", " "}, "fi": {"2.1.2006", "15.04", " "},
		"no": {"02.01.2006", dayClock, ", "}, "pl": {"2.01.2006", dayClock, ", "}, "cs": {"02.01.2006", dayClock, " "},
		"ru": {"02.01.2006", dayClock, ", "}, "tr": {"2.01.2006", dayClock, " "}, "zh": {"2006/1/2", dayClock, " "},
		"ko": {"2006. 1. 2.", dayClock, " "},
	}
	key := strings.ToLower(locale)
	if key == "" {
		key = strings.ToLower(usualLocale)
	}
	lang, _, _ := strings.Cut(key, "_")
	for _, k := range []string{key, lang} {
		if w, known := ways[k]; known {
			return w
		}
	}
	return written{time.DateOnly, dayClock, " "}
}

// appendFormatted writes a value as FORMAT does: numbers, days and times as a text in the way of the user's locale, all
// else as it is. The org's currency is the US dollar.
func (e environment) appendFormatted(buf []byte, f *field, v any) []byte {
	var text string
	switch {
	case v == nil:
		return append(buf, "null"...)
	case f.kind == typeDate:
		day, err := time.Parse(time.DateOnly, v.(string)) //nolint:forcetypeassert,errcheck // so the store keeps days
		if err != nil {
			return appendValue(buf, f.kind, v)
		}
		text = day.Format(writtenIn(e.locale).date)
	case f.kind == typeDateTime:
		ms, _ := v.(int64) // so the store keeps moments
		w := writtenIn(e.locale)
		text = time.UnixMilli(ms).In(e.zone).Format(w.date + w.between + w.clock)
	case f.number():
		text = e.number(f, v)
	default:
		return appendValue(buf, f.kind, v)
	}
	return appendString(buf, text)
}

func (e environment) number(f *field, v any) string {
	p := message.NewPrinter(languageOf(e.locale))
	switch f.kind {
	case typeInt:
		return p.Sprint(decimals.Decimal(v))
	case typeCurrency:
		text := p.Sprint(decimals.Decimal(v, decimals.Scale(2)))
		if lang, _ := languageOf(e.locale).Base(); lang.String() != "en" {
			return text + "\u00a0$"
		}
		if amount, negative := strings.CutPrefix(text, "-"); negative {
			return "-$" + amount
		}
		return "$" + text
	default:
		return p.Sprint(decimals.Decimal(v, decimals.MaxFractionDigits(max(f.scale, 2))))
	}
}
