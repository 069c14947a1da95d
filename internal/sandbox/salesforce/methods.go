package salesforce

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// The methods of resources, in the order the platform lists them in.
var (
	readOnlyMethods = []string{http.MethodHead, http.MethodGet}                                      //nolint:gochecknoglobals // a constant list
	listMethods     = []string{http.MethodHead, http.MethodGet, http.MethodPost}                     //nolint:gochecknoglobals // a constant list
	recordMethods   = []string{http.MethodHead, http.MethodGet, http.MethodPatch, http.MethodDelete} //nolint:gochecknoglobals // a constant list
)

// methodNotAllowed refuses a method a resource does not have. Without allowed, route adds those of the resource.
func methodNotAllowed(method string, allowed ...string) *apiError {
	e := fault(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed. Allowed are %s", method, strings.Join(allowed, ","))
	e.allow = allowed
	return e
}

// withMethods completes an error about a method with those the resource has.
func withMethods(rq *request, err error) error {
	e, ok := errors.AsType[*apiError](err)
	if !ok || e.Status != http.StatusMethodNotAllowed || len(e.allow) > 0 {
		return err
	}
	return methodNotAllowed(rq.method, methodsOf(rq.segs)...)
}

// methodsOf returns what may be done with the resource at a path below the version.
func methodsOf(segs []string) []string {
	lower := make([]string, len(segs))
	for i, s := range segs {
		lower[i] = strings.ToLower(s)
	}
	switch {
	case len(lower) == 0:
		return readOnlyMethods
	case lower[0] == "tooling":
		return toolingMethods(lower[1:])
	case lower[0] == "parameterizedsearch":
		return listMethods
	case len(lower) == 1 && lower[0] == "composite":
		return []string{http.MethodPost}
	case len(lower) == 1:
		return readOnlyMethods
	}
	switch lower[0] {
	case "sobjects":
		return sobjectMethods(lower[1:])
	case "composite":
		return compositeMethods(lower[1:])
	case "jobs":
		return jobMethods(lower[1:])
	case "connect":
		return listMethods
	}
	return readOnlyMethods
}

func toolingMethods(segs []string) []string {
	if len(segs) > 1 && segs[0] == "sobjects" && segs[1] == strings.ToLower(managedEntity) {
		return append(slices.Clone(recordMethods), http.MethodPost)
	}
	return readOnlyMethods
}

// sobjectMethods is methodsOf below /sobjects.
func sobjectMethods(segs []string) []string {
	switch {
	case len(segs) == 1:
		return listMethods
	case slices.Contains([]string{"describe", "updated", "deleted", "listviews", "quickactions"}, segs[1]):
		return readOnlyMethods
	case len(segs) == 2 && segs[1] == "id":
		return []string{http.MethodPost}
	case len(segs) == 3 && segs[2] == "password":
		return []string{http.MethodHead, http.MethodGet, http.MethodPost, http.MethodDelete}
	}
	return recordMethods
}

func compositeMethods(segs []string) []string {
	if segs[0] != "sobjects" {
		return []string{http.MethodPost}
	}
	switch len(segs) {
	case 1:
		return []string{http.MethodPost, http.MethodPatch, http.MethodDelete}
	case 2:
		return []string{http.MethodGet, http.MethodPost}
	}
	return []string{http.MethodPatch}
}

func jobMethods(segs []string) []string {
	switch len(segs) {
	case 1:
		return listMethods
	case 2:
		return recordMethods
	}
	if segs[2] == "batches" {
		return []string{http.MethodPut}
	}
	return readOnlyMethods
}
