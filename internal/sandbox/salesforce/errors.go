package salesforce

import (
	"fmt"
	"net/http"

	"github.com/tandemcc/tandem/internal/soql"
)

// apiError is an error in the REST API's form: an array of these is the body.
type apiError struct {
	Status  int      `json:"-"`
	Message string   `json:"message"`
	Code    string   `json:"errorCode"`
	Fields  []string `json:"fields,omitempty"`

	// What a duplicate rule found. The platform has misspelt the key in many versions, so that clients look for either.
	Duplicates map[string]any `json:"duplicateResult,omitempty"`
	Misspelt   map[string]any `json:"duplicateResut,omitempty"`

	at    string   // the field whose value cannot be read, until its place in the body is known
	allow []string // the methods a resource has, of METHOD_NOT_ALLOWED
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func fault(status int, code, format string, args ...any) *apiError {
	return &apiError{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func badRequest(code, format string, args ...any) *apiError {
	return fault(http.StatusBadRequest, code, format, args...)
}

func onFields(e *apiError, fields ...string) *apiError {
	e.Fields = fields
	return e
}

// A resource that is not there, and a record that was deleted.
func notFound() *apiError {
	return fault(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
}

func entityDeleted() *apiError {
	return fault(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted")
}

func invalidSession() *apiError {
	return fault(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
}

const (
	adviceEntity = "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. " +
		"Please reference your WSDL or the describe call for the appropriate names."
	adviceField = "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. " +
		"Please reference your WSDL or the describe call for the appropriate names."
	adviceRelationship = "If you are attempting to use a custom relationship, be sure to append the '__r' after the custom " +
		"relationship name. Please reference your WSDL or the describe call for the appropriate names."
)

// atQuery is an error that points into a query text.
func atQuery(code, src string, pos soql.Pos, format string, args ...any) *apiError {
	return badRequest(code, "%s", soql.Caret(src, pos, fmt.Sprintf(format, args...)))
}
