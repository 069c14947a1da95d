package flow

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fill sets every field of a value to something that is not empty.
func fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("a<\"é\n")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"a":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(k, depth+1)
		fill(e, depth+1)
		v.SetMapIndex(k, e)
	case reflect.Interface:
		v.Set(reflect.ValueOf(any(map[string]any{"i": int64(1), "f": 2.0, "l": []any{nil, "x"}})))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 3, 2, 9, 30, 0, 123e6, time.UTC)))
			return
		}
		for _, f := range v.Fields() {
			if f.CanSet() {
				fill(f, depth+1)
			}
		}
	default:
		panic("a session holds a " + v.Kind().String() + ": teach this test, and the writer, about it")
	}
}

// A session with something in every field is written as its fields' tags say, and reads back the same.
func TestSessionJSONIsWhatTheTagsSay(t *testing.T) {
	t.Parallel()
	full := new(Session)
	fill(reflect.ValueOf(full).Elem(), 0)
	for name, s := range map[string]*Session{"full": full, "empty": {}} {
		data, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(data, &a); err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, a); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		back, err := Restore(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, back, cmpopts.IgnoreUnexported(Session{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s comes back another: %s", name, diff)
		}
	}
}
