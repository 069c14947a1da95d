package salesforce

import (
	"net/http"
	"strconv"
	"strings"
)

// async answers below /services/async/, where Bulk API 1.0 is: this org has Bulk API 2.0 only. A retired version is refused as
// the platform does, and any other path is not there.
func (o *Org) async(w http.ResponseWriter, r *http.Request, segs []string) {
	if len(segs) == 0 {
		writeFault(w, notFound())
		return
	}
	whole, found := strings.CutSuffix(segs[0], ".0")
	version, err := strconv.Atoi(whole)
	if !found || err != nil || version >= minVersion {
		writeFault(w, notFound())
		return
	}
	const code = "InvalidVersion"
	message := "Unsupported API version " + segs[0] + ": use " + itoa(minVersion) + ".0 to " + itoa(maxVersion) + ".0"
	if strings.Contains(r.Header.Get("Content-Type"), "json") {
		writeJSON(w, http.StatusBadRequest, map[string]string{"exceptionCode": code, "exceptionMessage": message})
		return
	}
	w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`<?xml version="1.0" encoding="UTF-8"?><error xmlns="http://www.force.com/2009/06/asyncapi/dataload"><exceptionCode>` + code +
		"</exceptionCode><exceptionMessage>" + escapeXML(message) + "</exceptionMessage></error>"))
}
