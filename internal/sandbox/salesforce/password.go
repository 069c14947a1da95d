package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// ResetSecurityToken gives a user another security token and returns it; the password and the sessions stay. The platform
// sends it by mail.
func (o *Org) ResetSecurityToken(ctx context.Context, username string) (token string, err error) {
	user, err := o.userNamed(ctx, username)
	switch {
	case err != nil:
		return "", err
	case user.id == o.admin:
		return "", errors.New("the administrator's security token is the org's own: it is printed when the org starts")
	case user.password == "":
		return "", errors.New("the user has no password: set one, which comes with a security token")
	}
	token = randomText(24)
	return token, o.store.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE secret SET token = ? WHERE user_id = ?", token, user.id); err != nil {
			return fmt.Errorf("storing a security token: %w", err)
		}
		return nil
	})
}

// securityToken answers /sandbox/api/users/{username}/security-token: GET reads what the platform would have sent by mail, POST
// resets it.
func (o *Org) securityToken(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("username")
	if r.Method == http.MethodPost {
		token, err := o.ResetSecurityToken(r.Context(), name)
		if err != nil {
			writeFault(w, badRequest("INVALID_INPUT", "%s", err))
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"security_token": token})
		return
	}
	user, err := o.userByName(r.Context(), name)
	switch {
	case err != nil:
		o.writeFault(w, r, err)
	case user == nil || user.password == "":
		writeFault(w, notFound())
	default:
		writeJSON(w, http.StatusOK, map[string]string{"security_token": user.token})
	}
}

// userPassword answers /sobjects/User/{id}/password (REST API developer guide, "sObject User Password"): GET says whether it
// has expired, which none does here, POST sets it, and DELETE has one made up.
func (o *Org) userPassword(rq *request, id string) (*response, error) {
	user, err := o.userByID(rq.ctx, id)
	if err != nil {
		return nil, err
	}
	if user == nil {
		return nil, notFound()
	}
	if rq.method == http.MethodGet || rq.method == http.MethodHead {
		return ok(map[string]bool{"isExpired": false}), nil
	}
	if id != rq.user.user {
		if err := o.mayWrite(rq.ctx, rq.user.user, o.schema.object("User"), writeEdit, nil); err != nil {
			return nil, err
		}
	}
	if rq.tx != nil { // the secrets have a transaction of their own
		return nil, badRequest("INVALID_OPERATION", "a password is set by a request of its own, not in one that is undone as a whole")
	}
	switch rq.method {
	case http.MethodPost:
		var in struct{ NewPassword string }
		if err := json.Unmarshal(rq.body, &in); err != nil {
			return nil, jsonFault(rq.body, err)
		}
		if in.NewPassword == "" {
			return nil, badRequest("INVALID_NEW_PASSWORD", "Your password cannot be empty")
		}
		if _, err := o.SetPassword(rq.ctx, user.username, in.NewPassword); err != nil {
			return nil, badRequest("INVALID_NEW_PASSWORD", "%s", err)
		}
		return noContent(), nil
	case http.MethodDelete:
		made := randomText(16)
		if _, err := o.SetPassword(rq.ctx, user.username, made); err != nil {
			return nil, badRequest("INVALID_NEW_PASSWORD", "%s", err)
		}
		return ok(map[string]string{"NewPassword": made}), nil
	}
	return nil, methodNotAllowed(rq.method)
}
