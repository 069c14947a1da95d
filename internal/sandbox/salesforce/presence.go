package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	qPresenceUser   = `SELECT "Id" FROM "User" WHERE "Username~" = ? AND "IsActive" = 1 AND "IsDeleted" = 0`
	qPresenceStatus = `SELECT s."Id", (SELECT COUNT(*) FROM "ServiceChannelStatus" c WHERE c."ServicePresenceStatusId" = s."Id" AND c."IsDeleted" = 0)
FROM "ServicePresenceStatus" s WHERE s."DeveloperName~" = ? AND s."IsDeleted" = 0`
	qPresenceNow = `SELECT "Id", "StatusStartDate" FROM "UserServicePresence" WHERE "UserId" = ? AND "IsCurrentState" = 1 AND "IsDeleted" = 0`
)

// SetPresence puts a user, by name, into a presence status, by its developer name, or takes the user offline where the
// status is empty: what agents do in their console, and what the API cannot. The state before ends, the new one is a record
// of its own, and the user is away in a status that takes no work.
func (o *Org) SetPresence(ctx context.Context, username, statusName string) error {
	return o.store.update(ctx, func(tx *sql.Tx) error {
		var user, status string
		var channels int64
		err := tx.QueryRowContext(ctx, qPresenceUser, strings.ToLower(username)).Scan(&user)
		if errors.Is(err, sql.ErrNoRows) {
			return badRequest("INVALID_INPUT", "there is no active user %s", shorten(username))
		}
		if err == nil && statusName != "" {
			err = tx.QueryRowContext(ctx, qPresenceStatus, strings.ToLower(statusName)).Scan(&status, &channels)
			if errors.Is(err, sql.ErrNoRows) {
				return badRequest("INVALID_INPUT", "there is no presence status %s", shorten(statusName))
			}
		}
		if err != nil {
			return fmt.Errorf("looking for the presence: %w", err)
		}
		if err := o.endPresence(ctx, tx, user); err != nil || status == "" {
			return err
		}
		_, err = o.create(ctx, tx, user, o.schema.object("UserServicePresence"), record{
			"UserId": user, "OwnerId": user, "ServicePresenceStatusId": status, "IsCurrentState": int64(1), "IsAway": bit(channels == 0), "StatusStartDate": o.stamp(),
		})
		return err
	})
}

// endPresence ends the state a user is in.
func (o *Org) endPresence(ctx context.Context, tx *sql.Tx, user string) error {
	rows, err := inTx{o.store, tx}.QueryContext(ctx, qPresenceNow, user)
	if err != nil {
		return fmt.Errorf("reading the presence: %w", err)
	}
	current, err := scanAll(rows, 2)
	if err != nil {
		return fmt.Errorf("reading the presence: %w", err)
	}
	for _, row := range current {
		id, _ := row[0].(string)
		since, _ := row[1].(int64)
		now := o.stamp()
		err := o.change(ctx, tx, user, o.schema.object("UserServicePresence"), id, record{
			"IsCurrentState": int64(0), "StatusEndDate": now, "StatusDuration": max(0, (now-since)/time.Second.Milliseconds()),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Org) setPresence(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User   string `json:"user"`
		Status string `json:"status"`
	}
	if err := strict(r, &in); err != nil || in.User == "" {
		writeFault(w, badRequest("INVALID_INPUT", `send {"user": "ada@example.org", "status": "Available"}, without a status to go offline`))
		return
	}
	if err := o.SetPresence(r.Context(), in.User, in.Status); err != nil {
		o.writeFault(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
