package salesforce

import (
	"database/sql"
	"net/http"
	"slices"
	"strings"
	"time"
)

// binRow is a record in the bin.
type binRow struct {
	ID, Name, Kind, Deleted, By, Restore string
	at                                   int64
}

const binShown = 200

// bin lists what was deleted, newest first.
func (s *site) bin(w http.ResponseWriter, r *http.Request) { s.binPage(w, r, "") }

func (s *site) binPage(w http.ResponseWriter, r *http.Request, problem string) {
	d := pageData{Title: "Recycle bin", Here: "/sandbox/bin", Problem: problem}
	since := s.org.now().Add(-binTime).UnixMilli()
	for _, obj := range s.org.schema.objects {
		if !obj.binned() {
			continue
		}
		query := `SELECT "Id", ` + obj.field(titleField(obj)).column() + `, "SystemModstamp", "LastModifiedById" FROM ` + obj.table() +
			` WHERE "SystemModstamp" >= ? AND "IsDeleted" = 1 ORDER BY "SystemModstamp" DESC LIMIT ` + itoa(binShown)
		rows, err := s.rows(r.Context(), query, 4, since)
		if err != nil {
			s.problem(w, r, err)
			return
		}
		for _, row := range rows {
			at := millis(row[2])
			d.Bin = append(d.Bin, binRow{
				ID: text(row[0]), Name: orElse(text(row[1]), text(row[0])), Kind: obj.label, Deleted: time.UnixMilli(at).UTC().Format("2006-01-02 15:04 MST"),
				By: s.nameOf(r.Context(), text(row[3])), Restore: "/lightning/r/" + obj.name + "/" + text(row[0]) + "/restore", at: at,
			})
		}
	}
	slices.SortStableFunc(d.Bin, func(a, b binRow) int { return int(b.at - a.at) })
	d.Bin = d.Bin[:min(len(d.Bin), binShown)]
	s.show(w, r, statusOf(problem), "bin", d)
}

// binned reports whether deleted records of an entity can be restored.
func (o *object) binned() bool { return o.tracked() && !o.readOnly && o.name != "User" }

// restoreRecord takes a record out of the bin and shows it.
func (s *site) restoreRecord(w http.ResponseWriter, r *http.Request) {
	id, valid := normalID(r.PathValue("id"))
	obj := s.org.schema.objectOf(id)
	if !valid || obj == nil || !obj.binned() {
		s.problem(w, r, notFound())
		return
	}
	rq := s.asAdmin(r.Context())
	err := s.org.update(rq, func(tx *sql.Tx) error { return s.org.restore(rq.ctx, tx, rq.user.user, obj, id) })
	if err != nil {
		s.binPage(w, r, s.org.fail(r.Context(), err).Message)
		return
	}
	http.Redirect(w, r, "/"+id, http.StatusSeeOther) //nolint:gosec // an id: letters and digits
}

// deletedNotice tells on the list what was just put into the bin.
func (s *site) deletedNotice(r *http.Request) (done, restore string) {
	id, valid := normalID(r.URL.Query().Get("deleted"))
	obj := s.org.schema.objectOf(id)
	if !valid || obj == nil || !obj.binned() || !strings.EqualFold(obj.name, r.PathValue("entity")) {
		return "", ""
	}
	rec, err := readBinned(r.Context(), s.org.store, obj, id)
	if err != nil {
		return "", ""
	}
	return "“" + titleOf(obj, rec) + "” is in the recycle bin.", "/lightning/r/" + obj.name + "/" + id + "/restore"
}
