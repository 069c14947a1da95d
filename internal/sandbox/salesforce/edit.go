package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// input is a field of a form: what a person sees and types for a field of a record.
type input struct {
	Name, Label, Kind, Value, Hint string
	Error                          string // why the value was not taken, empty: it was
	Required, Checked              bool
	Max                            int
	Options                        []option
}

type option struct {
	Value, Label string
	Selected     bool
}

// dateTimeForm is how a browser writes a moment without a zone; the forms say that it is UTC.
const dateTimeForm = "2006-01-02T15:04"

// asAdmin is a call of the pages: they act as the administrator.
func (s *site) asAdmin(ctx context.Context) *request {
	return &request{ctx: ctx, version: maxVersion, header: http.Header{}, query: url.Values{}, user: &session{user: s.org.admin}}
}

// editable reports whether the pages offer to change records of an entity.
func (o *object) editable() bool { return !o.readOnly && !o.event }

func (s *site) newRecord(w http.ResponseWriter, r *http.Request) {
	obj := s.org.schema.object(r.PathValue("entity"))
	if obj == nil || !obj.editable() {
		s.problem(w, r, notFound())
		return
	}
	d := pageData{Title: "New " + obj.label, Kind: obj.plural, Here: listPath(obj), Back: listPath(obj)}
	if r.Method == http.MethodGet {
		given := record{}
		for _, f := range obj.fields {
			if v := r.URL.Query().Get(f.name); v != "" {
				given[f.name] = v
			} else if f.defaultTo != "" {
				given[f.name] = f.defaultTo
				if f.kind == typeBoolean {
					given[f.name] = bit(f.defaultTo == "true")
				}
			}
		}
		d.Inputs = s.inputs(r.Context(), obj, given, true)
		s.show(w, r, http.StatusOK, "edit", d)
		return
	}
	in, err := formRecord(r, obj, true)
	if err == nil {
		var id string
		if id, err = s.org.insertOne(s.asAdmin(r.Context()), obj, in); err == nil {
			http.Redirect(w, r, "/"+id, http.StatusSeeOther)
			return
		}
	}
	s.editAgain(w, r, obj, d, err, true)
}

func (s *site) editRecord(w http.ResponseWriter, r *http.Request) {
	obj, id, rec := s.recordOf(w, r, (*object).editable)
	if obj == nil {
		return
	}
	d := pageData{Title: "Edit " + titleOf(obj, rec), Kind: obj.label, Here: listPath(obj), Back: "/" + id}
	if r.Method == http.MethodGet {
		d.Inputs = s.inputs(r.Context(), obj, rec, false)
		s.show(w, r, http.StatusOK, "edit", d)
		return
	}
	in, err := formRecord(r, obj, false)
	if err == nil {
		if err = s.org.updateOne(s.asAdmin(r.Context()), obj, id, in); err == nil {
			http.Redirect(w, r, "/"+id, http.StatusSeeOther) //nolint:gosec // an id: letters and digits
			return
		}
	}
	s.editAgain(w, r, obj, d, err, false)
}

// recordOf reads the record a page is about, of an entity that fits. The entity is nil when there is none, which has been
// answered then.
func (s *site) recordOf(w http.ResponseWriter, r *http.Request, fits func(*object) bool) (*object, string, record) {
	id, valid := normalID(r.PathValue("id"))
	obj := s.org.schema.objectOf(id)
	if !valid || obj == nil || !fits(obj) {
		s.problem(w, r, notFound())
		return nil, "", nil
	}
	rec, err := readRecord(r.Context(), s.org.store, obj, id)
	if err != nil {
		s.problem(w, r, err)
		return nil, "", nil
	}
	return obj, id, rec
}

// editAgain shows the form with what was typed and why it was not taken.
func (s *site) editAgain(w http.ResponseWriter, r *http.Request, obj *object, d pageData, err error, isNew bool) {
	typed := record{}
	for _, f := range obj.fields {
		typed[f.name] = strings.Join(r.PostForm[f.name], ";")
		if f.kind == typeBoolean {
			typed[f.name] = bit(r.PostForm.Get(f.name) != "")
		}
	}
	e := s.org.fail(r.Context(), err)
	d.Problem, d.Inputs = e.Message, s.inputs(r.Context(), obj, typed, isNew)
	if markErrors(d.Inputs, e) {
		d.Problem = "Not saved: see the marked fields."
	}
	s.show(w, r, e.Status, "edit", d)
}

func (s *site) deleteRecord(w http.ResponseWriter, r *http.Request) {
	id, valid := normalID(r.PathValue("id"))
	obj := s.org.schema.objectOf(id)
	if !valid || obj == nil {
		s.problem(w, r, notFound())
		return
	}
	if err := s.org.removeOne(s.asAdmin(r.Context()), obj, id); err != nil {
		s.problem(w, r, err)
		return
	}
	http.Redirect(w, r, listPath(obj)+"?deleted="+id, http.StatusSeeOther)
}

// asked reports whether forms have a field.
func (f *field) asked(isNew bool) bool {
	return !f.readOnly && !f.geocode && f.kind != typeJunction && f.kind != typeID && (isNew || !f.createOnly && !f.writeOnly)
}

// inputs are the fields of a form for a record: values are as the store holds them, or as they were typed.
func (s *site) inputs(ctx context.Context, obj *object, rec record, isNew bool) []input {
	var out []input
	for _, f := range obj.fields {
		if !f.asked(isNew) {
			continue
		}
		in := input{Name: f.name, Label: f.title(), Kind: inputKind(f), Required: f.required, Max: f.length}
		if f.help != "" {
			in.Hint = f.help
		}
		in.Value, in.Checked = typedValue(f, rec[f.name]), rec[f.name] == int64(1)
		switch f.kind {
		case typeReference:
			in.Hint = "Id of " + strings.Join(f.refs, ", ")
			if in.Value != "" {
				in.Hint = s.nameOf(ctx, in.Value)
			}
		case typeDateTime:
			in.Hint = "UTC"
		case typePicklist, typeMulti:
			in.Options = optionsOf(f, in.Value)
		default:
		}
		out = append(out, in)
	}
	return out
}

// typedValue is a value as it is typed.
func typedValue(f *field, v any) string {
	switch x := v.(type) {
	case string:
		return x
	case int64:
		if f.kind == typeDateTime {
			return time.UnixMilli(x).UTC().Format(dateTimeForm)
		}
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return ""
}

// optionsOf lists a picklist's values; one that is not of them, which the platform takes unless it is told not to, is kept.
func optionsOf(f *field, value string) []option {
	given := strings.Split(value, ";")
	var out []option
	for _, v := range f.values {
		out = append(out, option{v, v, slices.Contains(given, v)})
	}
	for _, v := range given {
		if v != "" && !slices.Contains(f.values, v) {
			out = append(out, option{v, v, true})
		}
	}
	return out
}

func inputKind(f *field) string {
	switch f.kind {
	case typeBoolean:
		return "checkbox"
	case typeDate:
		return "date"
	case typeDateTime:
		return "datetime-local"
	case typeEmail:
		return "email"
	case typePhone:
		return "tel"
	case typeTextArea:
		return "textarea"
	case typeMulti:
		return "multiple"
	case typePicklist:
		if len(f.values) > 0 {
			return "select"
		}
	default:
	}
	return "text"
}

// formRecord reads a form as the API reads a record. What it does not hold is left alone.
func formRecord(r *http.Request, obj *object, isNew bool) (map[string]json.RawMessage, error) {
	if err := r.ParseForm(); err != nil {
		return nil, badRequest("INVALID_INPUT", "The form cannot be read.")
	}
	out := map[string]json.RawMessage{}
	for _, f := range obj.fields {
		if !f.asked(isNew) {
			continue
		}
		raw, err := formValue(f, r.PostForm[f.name])
		if err != nil {
			return nil, err
		}
		// A record has an owner: an empty field leaves it.
		kept := isNew || f.name == "OwnerId"
		if raw == nil || kept && string(raw) == "null" {
			continue
		}
		out[f.name] = raw
	}
	return out, nil
}

// formValue is a field of a form as JSON; nil: the form has nothing of it.
func formValue(f *field, values []string) (json.RawMessage, error) {
	given := len(values) > 0
	switch {
	case f.kind == typeBoolean: // a browser sends nothing of a box that is not ticked
		return json.RawMessage(strconv.FormatBool(given)), nil
	case !given && f.kind != typeMulti:
		return nil, nil
	}
	text := strings.TrimSpace(strings.Join(values, ";"))
	if text == "" {
		return json.RawMessage("null"), nil
	}
	if f.kind == typeDateTime {
		t, err := time.Parse(dateTimeForm, text)
		if err != nil {
			return nil, onFields(badRequest("INVALID_INPUT", "%s: write a date and a time", f.label), f.name)
		}
		text = t.Format(time.RFC3339)
	}
	return appendString(nil, text), nil
}

// markErrors puts an error to the fields it names; false: the form has none of them.
func markErrors(inputs []input, e *apiError) bool {
	marked := false
	for i := range inputs {
		unread := e.Code == "JSON_PARSER_ERROR" && e.at == inputs[i].Name
		if !unread && !slices.Contains(e.Fields, inputs[i].Name) {
			continue
		}
		marked = true
		_, inputs[i].Error, _ = strings.Cut(": "+e.Message, ": ")
		if label, reason, found := strings.Cut(e.Message, ": "); found && strings.HasPrefix(label, inputs[i].Label) {
			inputs[i].Error = strings.ToUpper(reason[:min(1, len(reason))]) + reason[min(1, len(reason)):]
		}
		if e.Code == "REQUIRED_FIELD_MISSING" {
			inputs[i].Error = "Fill this in."
		}
		if unread {
			inputs[i].Error = "This is no value of the field."
		}
	}
	return marked
}
