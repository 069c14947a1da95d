package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/config"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/sqlstore"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Recompute the log from its rows and compare it with its signed checkpoints."`
}

type auditVerifyCmd struct {
	Settings settings `embed:""`
	Witness  string   `help:"File of checkpoints that were kept in another place; it also shows that the end of the log was cut off." placeholder:"FILE"`
	JSON     bool     `help:"Print JSON."`
}

// verdict is the result of a verification as JSON.
type verdict struct {
	OK      bool   `json:"ok"`
	Size    int64  `json:"size"`
	Root    string `json:"root,omitempty"`
	Pending int64  `json:"pending"`
	Problem string `json:"problem,omitempty"`
	Seq     int64  `json:"seq,omitempty"`
	Message string `json:"message"`
}

// Run verifies the log; it may be done while the hub runs. A damaged log ends with ExitNo.
func (c *auditVerifyCmd) Run(ctx context.Context, e *env) error {
	cfg, err := c.Settings.load(nil)
	if err != nil {
		return err
	}
	if err := exists(cfg.DSN()); err != nil {
		return err
	}
	var witnessed []string
	if c.Witness != "" {
		if witnessed, err = audit.ReadWitness(c.Witness); err != nil {
			return err
		}
	}
	res, err := verify(ctx, &cfg, witnessed)
	if err != nil {
		return err
	}
	v := verdict{OK: res.OK, Size: res.Size, Root: res.Root, Pending: res.Pending, Problem: string(res.Problem), Seq: res.Seq, Message: res.Message}
	if c.JSON {
		err = e.printJSON(v)
	} else {
		err = e.printf("%s\n", v.text())
	}
	if err == nil && !v.OK {
		return errNo
	}
	return err
}

func (v *verdict) text() string {
	if v.OK {
		return fmt.Sprintf("the log is whole: %d entries, root %s, %d not sealed yet", v.Size, v.Root, v.Pending)
	}
	text := "THE LOG IS DAMAGED (" + v.Problem + ")"
	if v.Seq > 0 {
		text += fmt.Sprintf(" at entry %d", v.Seq)
	}
	return text + ": " + v.Message
}

// verify opens the database and its keys as the hub does and checks the log.
func verify(ctx context.Context, cfg *config.Config, witnessed []string) (res audit.Result, err error) {
	if !isFile(cfg.RootKeyFile()) {
		return res, errs.New(errs.NotFound, "there is no root key at %s: without it nobody can tell whether the checkpoints are genuine", cfg.RootKeyFile())
	}
	root, err := keyring.OpenRoot(cfg.RootKeyFile(), []byte(cfg.Passphrase))
	if err != nil {
		return res, err
	}
	db, err := sqlstore.Open(ctx, cfg.DSN(), sqlstore.Options{})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	decider, err := identity.NewDecider(nil, nil, nil)
	if err != nil {
		return res, err
	}
	ring, err := keyring.New(keyring.Config{Store: sqlstore.As[keyring.Tx](db), Root: root, Authz: decider})
	if err != nil {
		return res, err
	}
	ctx = caller.With(ctx, caller.NewService(app.Tenant, "sequencer"))
	if err := ring.Start(ctx); err != nil {
		return res, err
	}
	keys, err := ring.VerifierKeys(ctx, app.Tenant, app.AuditSigner)
	if err != nil {
		return res, err
	}
	verifiers := make([]note.Verifier, 0, len(keys))
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return res, fmt.Errorf("reading a verifier key: %w", err)
		}
		verifiers = append(verifiers, v)
	}
	return audit.Verify(ctx, sqlstore.As[audit.Tx](db), app.AuditSigner, note.VerifierList(verifiers...), witnessed...)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
