package salesforce

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The forms sign-in endpoints answer in: JSON unless the parameter format, or the header Accept, asks for another. The
// parameter comes first, and the header's list is read from left to right (Salesforce Help, "Identity URLs").
const (
	formJSON = "json"
	formXML  = "xml"
	formURL  = "urlencoded"
)

// answerForm is the form a request asks for.
func answerForm(r *http.Request) string {
	switch f := strings.ToLower(r.FormValue("format")); f {
	case formJSON, formXML, formURL:
		return f
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/json", "*/*":
			return formJSON
		case "application/xml":
			return formXML
		case "application/x-www-form-urlencoded":
			return formURL
		}
	}
	return formJSON
}

// writeAs answers with values in the form that is asked for; root is the element of XML.
func writeAs(w http.ResponseWriter, r *http.Request, status int, root string, values map[string]any) {
	var body, kind string
	switch answerForm(r) {
	case formXML:
		var b strings.Builder
		b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><` + root + ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">`)
		writeXML(&b, values)
		b.WriteString("</" + root + ">")
		body, kind = b.String(), "application/xml;charset=UTF-8"
	case formURL:
		flat := url.Values{}
		formPairs(flat, "", values)
		body, kind = flat.Encode(), "application/x-www-form-urlencoded;charset=UTF-8"
	default:
		writeJSON(w, status, values)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// writeXML writes values as elements, in the order of their names.
func writeXML(b *strings.Builder, values map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		switch v := values[k].(type) {
		case nil:
			b.WriteString("<" + k + ` xsi:nil="true"/>`)
		case map[string]any, map[string]string:
			b.WriteString("<" + k + ">")
			writeXML(b, parts(v))
			b.WriteString("</" + k + ">")
		default:
			b.WriteString("<" + k + ">" + escapeXML(plain(v)) + "</" + k + ">")
		}
	}
}

// formPairs writes values as pairs; parts of a value are named value.part.
func formPairs(to url.Values, prefix string, values map[string]any) {
	for k, v := range values {
		switch v.(type) {
		case nil:
			to.Set(prefix+k, "")
		case map[string]any, map[string]string:
			formPairs(to, prefix+k+".", parts(v))
		default:
			to.Set(prefix+k, plain(v))
		}
	}
}

// parts is a map of either kind.
func parts(v any) map[string]any {
	out, _ := v.(map[string]any)
	if texts, isText := v.(map[string]string); isText {
		out = make(map[string]any, len(texts))
		for k, t := range texts {
			out[k] = t
		}
	}
	return out
}

// plain is a value as text.
func plain(v any) string {
	if s, isText := v.(string); isText {
		return s
	}
	if raw, err := json.Marshal(v); err == nil {
		return string(raw)
	}
	return fmt.Sprint(v)
}

// writeOAuth answers of the token endpoint, which nothing may keep (RFC 6749 §5.1).
func writeOAuth(w http.ResponseWriter, r *http.Request, status int, values map[string]any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	writeAs(w, r, status, "OAuth", values)
}

func writeOAuthError(w http.ResponseWriter, r *http.Request, e *oauthError) {
	writeOAuth(w, r, http.StatusBadRequest, map[string]any{"error": e.Code, "error_description": e.Description})
}
