package keyring

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/tandemcc/tandem/internal/errs"
)

// Signer signs notes (C2SP signed-note, golang.org/x/mod/sumdb/note) with an Ed25519 key derived from a stored data key.
// It implements note.Signer and is safe for concurrent use.
type Signer struct {
	signer   note.Signer
	verifier string
}

// Name returns the signer's name.
func (s *Signer) Name() string { return s.signer.Name() }

// KeyHash returns the hash that a signature line carries.
func (s *Signer) KeyHash() uint32 { return s.signer.KeyHash() }

// Sign returns the signature of msg.
func (s *Signer) Sign(msg []byte) ([]byte, error) { return s.signer.Sign(msg) }

// VerifierKey returns the public key in the form that note.NewVerifier reads. It is no secret.
func (s *Signer) VerifierKey() string { return s.verifier }

// String implements fmt.Stringer without the key.
func (s *Signer) String() string { return "signer " + s.signer.Name() }

// GoString implements fmt.GoStringer without the key.
func (s *Signer) GoString() string { return s.String() }

// Format implements fmt.Formatter without the key.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// Signer returns the tenant's signing key of that name, made at the first call. name must be fit for a note: not empty, no
// space and no plus sign.
func (r *Ring) Signer(ctx context.Context, tenant, name string) (*Signer, error) {
	signers, err := r.signers(ctx, tenant, name)
	if err != nil {
		return nil, err
	}
	return signers[len(signers)-1], nil
}

// VerifierKeys returns the public keys of every version of a signing key, oldest first.
func (r *Ring) VerifierKeys(ctx context.Context, tenant, name string) ([]string, error) {
	signers, err := r.signers(ctx, tenant, name)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(signers))
	for i, s := range signers {
		out[i] = s.verifier
	}
	return out, nil
}

// RotateSigner makes a new version of a signing key; older signatures stay verifiable with VerifierKeys.
func (r *Ring) RotateSigner(ctx context.Context, tenant, name string) error {
	_, err := r.RotateData(ctx, tenant, signing, name)
	return err
}

func (r *Ring) signers(ctx context.Context, tenant, name string) ([]*Signer, error) {
	if err := r.authz.Check(ctx, ActionSign, ResourceARN(tenant, signing, name)); err != nil {
		return nil, err
	}
	sk := subjectKey{tenant, signing, name}
	if _, err := r.loadOrMake(ctx, sk); err != nil {
		return nil, err
	}
	rows, err := r.rows(ctx, sk)
	if err != nil {
		return nil, err
	}
	var out []*Signer
	for _, row := range live(rows) {
		k, err := r.unwrapMaterial(ctx, row)
		if err != nil {
			return nil, err
		}
		s, err := newSigner(name, k)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, shredded(signing, name)
	}
	return out, nil
}

func newSigner(name string, k secret) (*Signer, error) {
	seed, err := derive(k, "tandem ed25519")
	if err != nil {
		return nil, err
	}
	private := ed25519.NewKeyFromSeed(seed[:])
	public, _ := private.Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "%q cannot name a signer", name)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "%q cannot name a signer", name)
	}
	const algEd25519 = 1
	skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, verifier.KeyHash(),
		base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, seed[:]...)))
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, fmt.Errorf("making a signer: %w", err)
	}
	return &Signer{signer: signer, verifier: vkey}, nil
}
