package salesforce

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const classicNamespace = "http://www.force.com/2009/06/asyncapi/dataload"

// writeClassic writes an answer as XML or JSON.
func writeClassic(w http.ResponseWriter, asJSON bool, a *classicAnswer) {
	if asJSON {
		writeJSON(w, a.status, classicJSON(a))
		return
	}
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><` + a.name + ` xmlns="` + classicNamespace + `">`)
	appendFields := func(list []classicField) {
		for _, f := range list {
			b.WriteString("\n <" + f.name + ">")
			text := fmt.Sprint(f.value)
			if raw, isRaw := f.value.(json.RawMessage); isRaw {
				text = string(raw)
			}
			if f.name == "createdDate" || f.name == "systemModstamp" {
				text = strings.Replace(text, "+0000", "Z", 1)
			}
			_ = xml.EscapeText(&b, []byte(text)) // never fails: a buffer takes all
			b.WriteString("</" + f.name + ">")
		}
	}
	appendFields(a.fields)
	for _, item := range a.list {
		b.WriteString("\n <" + a.item + ">")
		appendFields(item)
		b.WriteString("\n </" + a.item + ">")
	}
	b.WriteString("\n</" + a.name + ">")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(a.status)
	_, _ = w.Write(b.Bytes()) // the client is gone
}

func classicJSON(a *classicAnswer) any {
	object := func(list []classicField) map[string]any {
		out := map[string]any{}
		for _, f := range list {
			out[f.name] = f.value
		}
		return out
	}
	switch {
	case a.name == "result-list":
		return []any{a.fields[0].value}
	case a.list == nil:
		return object(a.fields)
	}
	items := make([]any, 0, len(a.list))
	for _, item := range a.list {
		items = append(items, object(item))
	}
	return map[string]any{a.item: items}
}

// classicInfo is a job with the sums of its batches.
func (o *Org) classicInfo(job *job, status int) *classicAnswer {
	j := o.bulk.snapshot(job)
	counts := map[jobState]int64{}
	var processed, failed, millis int64
	list := o.bulk.batches(j.ID)
	for _, b := range list {
		counts[b.State]++
		processed, failed, millis = processed+b.Processed, failed+b.Failed, millis+b.Millis
	}
	fields := []classicField{
		{"id", j.ID},
		{"operation", j.Operation},
		{"object", j.Object},
		{"createdById", j.User},
		{"createdDate", wireStamp(j.Created)},
		{"systemModstamp", wireStamp(j.Modified)},
		{"state", string(j.State)},
	}
	if j.ExternalID != "" {
		fields = append(fields, classicField{"externalIdFieldName", j.ExternalID})
	}
	if j.Rule != "" {
		fields = append(fields, classicField{"assignmentRuleId", j.Rule})
	}
	fields = append(fields,
		classicField{"concurrencyMode", j.Classic.Concurrency}, classicField{"contentType", j.Classic.ContentType},
		classicField{"numberBatchesQueued", counts[jobUploaded]}, classicField{"numberBatchesInProgress", counts[jobInProgress]},
		classicField{"numberBatchesCompleted", counts[jobComplete]}, classicField{"numberBatchesFailed", counts[jobFailed]},
		classicField{"numberBatchesTotal", int64(len(list))}, classicField{"numberRecordsProcessed", processed}, classicField{"numberRetries", int64(0)},
		classicField{"apiVersion", json.RawMessage(itoa(j.Version) + ".0")}, classicField{"numberRecordsFailed", failed},
		classicField{"totalProcessingTime", millis}, classicField{"apiActiveProcessingTime", millis}, classicField{"apexProcessingTime", int64(0)})
	return &classicAnswer{status: status, name: "jobInfo", fields: fields}
}

// wireStamp writes a time of the clock, in milliseconds, as answers have it.
func wireStamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(wireTime) }

func batchFields(b job) []classicField {
	state := map[jobState]string{jobOpen: "Queued", jobUploaded: "Queued", jobInProgress: "InProgress", jobComplete: "Completed", jobFailed: "Failed", jobAborted: "NotProcessed"}[b.State]
	fields := []classicField{{"id", b.ID}, {"jobId", b.Parent}, {"state", state}}
	if b.Message != "" {
		fields = append(fields, classicField{"stateMessage", b.Message})
	}
	return append(fields,
		classicField{"createdDate", wireStamp(b.Created)}, classicField{"systemModstamp", wireStamp(b.Modified)},
		classicField{"numberRecordsProcessed", b.Processed}, classicField{"numberRecordsFailed", b.Failed},
		classicField{"totalProcessingTime", b.Millis}, classicField{"apiActiveProcessingTime", b.Millis}, classicField{"apexProcessingTime", int64(0)})
}

// keepRequest keeps what a batch was sent as, to be asked for.
func (o *Org) keepRequest(id string, body []byte) error {
	if err := os.WriteFile(o.bulk.file(id, "req"), body, 0o600); err != nil {
		return fmt.Errorf("keeping the batch: %w", err)
	}
	return nil
}

func (o *Org) classicRequest(parent *job, b job) (*classicAnswer, error) {
	kind := map[string]string{"CSV": csvType, "JSON": "application/json;charset=UTF-8"}[parent.Classic.ContentType]
	body := []byte(b.Query)
	if b.Ingest {
		var err error
		if body, err = os.ReadFile(o.bulk.file(b.ID, "req")); err != nil {
			return nil, fmt.Errorf("reading the batch: %w", err)
		}
	}
	return &classicAnswer{raw: &response{status: http.StatusOK, header: http.Header{"Content-Type": {kind}}, send: func(w io.Writer) error {
		_, err := w.Write(body)
		return err //nolint:wrapcheck // the client is gone
	}}}, nil
}

// jsonBatch turns records in JSON into CSV: a field that is not given is left alone, null clears it, and an object is a
// reference by the field it has.
func jsonBatch(body []byte) ([]byte, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%w : The records cannot be read: %w", errCSV, err)
	}
	columns := map[string]bool{}
	rows := make([]map[string]string, len(list))
	for i, rec := range list {
		rows[i] = map[string]string{}
		for name, raw := range rec {
			if strings.EqualFold(name, "attributes") {
				continue
			}
			column, value, err := jsonCell(name, raw)
			if err != nil {
				return nil, err
			}
			rows[i][column], columns[column] = value, true
		}
	}
	if len(columns) == 0 {
		return nil, errNoHeader
	}
	header := slices.Sorted(maps.Keys(columns))
	out := appendCSV(nil, header, ',', "\n")
	line := make([]string, len(header))
	for _, row := range rows {
		for i, name := range header {
			line[i] = row[name]
		}
		out = appendCSV(out, line, ',', "\n")
	}
	return out, nil
}

// checkBatch refuses too many records.
func checkBatch(data []byte) error {
	c := newCSVReader(bytes.NewReader(data), ',')
	for n := 0; ; n++ {
		_, err := c.read()
		if _, bad := errors.AsType[*rowError](err); err != nil && !bad {
			return nil // the end, or what fails when the batch is run
		}
		if n > maxClassicRecords { // with the header
			return fmt.Errorf("%w : The batch has more than %d records", errCSV, maxClassicRecords)
		}
	}
}

// jsonCell is a field of a record as a column and its text.
func jsonCell(name string, raw json.RawMessage) (column, value string, err error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return "", "", fmt.Errorf("%w : The records cannot be read: %w", errCSV, err)
	}
	switch x := v.(type) {
	case nil:
		return name, "#N/A", nil
	case string:
		return name, x, nil
	case json.Number, bool:
		return name, fmt.Sprint(x), nil
	case map[string]any:
		if a, isMap := x["attributes"].(map[string]any); isMap {
			if kind, _ := a["type"].(string); kind != "" {
				name = kind + ":" + name
			}
		}
		for key, inner := range x {
			if text, isText := inner.(string); isText && key != "attributes" {
				return name + "." + key, text, nil
			}
		}
	}
	return "", "", fmt.Errorf("%w : The value of %s cannot be read", errCSV, shorten(name))
}

// classicResults is what became of the records of a batch, in their order.
func (o *Org) classicResults(parent *job, b job) *classicAnswer {
	if parent.Classic.ContentType == "CSV" {
		send := func(w io.Writer) error { return o.sendFile(w, b, "ok", b.OK) }
		return &classicAnswer{raw: &response{status: http.StatusOK, header: http.Header{"Content-Type": {csvType}}, send: send}}
	}
	return &classicAnswer{raw: &response{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, send: func(w io.Writer) error {
		return o.eachLine(b, "ok", func(first bool, _, row []string) error {
			out := map[string]any{"id": row[0], "success": row[1] == "true", "created": row[2] == "true", "errors": []any{}}
			if row[0] == "" {
				out["id"] = nil
			}
			if row[3] != "" {
				out["errors"] = []any{rowFailure(row[3])}
			}
			return writeItem(w, first, out)
		}, w)
	}}}
}

// rowFailure reads an error back that was written as code:message:fields --.
func rowFailure(text string) map[string]any {
	code, rest, _ := strings.Cut(text, ":")
	at := max(0, strings.LastIndexByte(rest, ':'))
	return map[string]any{
		"statusCode": code, "message": rest[:at], "fields": strings.Fields(strings.TrimSuffix(strings.TrimPrefix(rest[at:], ":"), "--")), "extendedErrorDetails": nil,
	}
}

// eachLine reads a file of the bulk folder and writes a JSON array of what item makes of its lines.
func (o *Org) eachLine(b job, kind string, item func(first bool, header, row []string) error, w io.Writer) error {
	f, err := os.Open(o.bulk.file(b.ID, kind))
	if err != nil {
		return fmt.Errorf("opening the results: %w", err)
	}
	defer func() { _ = f.Close() }()
	c := newCSVReader(f, ',')
	header, err := c.read()
	if err != nil {
		return fmt.Errorf("reading the results: %w", err)
	}
	for end := "[]"; ; end = "]" {
		row, err := c.read()
		if errors.Is(err, io.EOF) {
			_, err = io.WriteString(w, end)
			return err //nolint:wrapcheck // the client is gone
		}
		if err != nil {
			return fmt.Errorf("reading the results: %w", err)
		}
		if err := item(end == "[]", header, row); err != nil {
			return err
		}
	}
}

func writeItem(w io.Writer, first bool, v any) error {
	raw, err := encode(v)
	if err != nil {
		return err
	}
	sep := byte(',')
	if first {
		sep = '['
	}
	_, err = w.Write(append([]byte{sep}, raw...))
	return err //nolint:wrapcheck // the client is gone
}

// classicRecords is the result of a query in JSON. Dates and datetimes are milliseconds there, as the platform has them.
func (o *Org) classicRecords(c *classicCall, b job) (*classicAnswer, error) {
	p, err := o.planFor(b.Query, b.Operation == "queryAll", o.environment(c.request))
	if err != nil {
		return nil, err
	}
	names, leaves := flatten("", p.nodes, nil, nil)
	kinds := map[string]fieldType{}
	for i, name := range names {
		kinds[name] = leaves[i].field.kind
	}
	return &classicAnswer{raw: &response{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, send: func(w io.Writer) error {
		return o.eachLine(b, "out", func(first bool, header, row []string) error {
			rec := map[string]any{}
			for i, name := range header {
				setPath(rec, name, classicValue(kinds[name], row[i]))
			}
			attributes := map[string]any{"type": p.object.name}
			if id, has := rec["Id"].(string); has {
				attributes["url"] = c.base() + "/sobjects/" + p.object.name + "/" + id
			}
			rec["attributes"] = attributes
			return writeItem(w, first, rec)
		}, w)
	}}}, nil
}

// setPath puts a value at a path of names. A parent none of whose fields has a value is null.
func setPath(rec map[string]any, path string, v any) {
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		rec[name] = v
		return
	}
	inner, _ := rec[name].(map[string]any)
	if inner == nil {
		if rec[name] = nil; v == nil {
			return
		}
		inner = map[string]any{}
		rec[name] = inner
	}
	setPath(inner, rest, v)
}

func classicValue(kind fieldType, text string) any {
	switch kind {
	case typeBoolean:
		return text == "true"
	case typeInt, typeDouble, typeCurrency:
		if text != "" {
			return json.RawMessage(text)
		}
	case typeDate, typeDateTime:
		t, err := time.Parse(time.DateOnly, text[:min(len(text), 10)])
		if kind == typeDateTime {
			t, err = time.Parse(time.RFC3339, text)
		}
		if err == nil {
			return json.RawMessage(strconv.FormatInt(t.UnixMilli(), 10))
		}
	default:
		if text != "" {
			return text
		}
	}
	return nil
}
