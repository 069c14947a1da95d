package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/tandemcc/tandem/internal/errs"
)

// A sealed text is: format (1 byte, 1) | key id (16 bytes, UUID) | nonce (12) | ciphertext | tag (16).
const (
	envelopeV1  = 1
	headerLen   = 1 + 16
	gcmOverhead = 12 + 16

	// Overhead is how many bytes Seal adds.
	Overhead = headerLen + gcmOverhead
	// MaxText is the largest text that Seal takes and Open returns, in bytes.
	MaxText = 256 << 20
)

// DataKey seals data of one subject. It is immutable and safe for concurrent use.
type DataKey struct {
	id     uuid.UUID
	row    Row
	aead   cipher.AEAD
	bound  []byte // what every text under this key is bound to
	arn    string
	loaded time.Time // when it was read, for the cache's age limit
}

// ID returns the key's id.
func (k *DataKey) ID() string { return k.row.ID }

// Version returns the key's version, from 1.
func (k *DataKey) Version() int { return k.row.Version }

// Row returns what is stored for the key: it is wrapped already and holds nothing secret.
func (k *DataKey) Row() Row { return k.row }

// String implements fmt.Stringer without the key.
func (k *DataKey) String() string { return "data key " + k.row.ID }

// GoString implements fmt.GoStringer without the key.
func (k *DataKey) GoString() string { return k.String() }

// MarshalText implements encoding.TextMarshaler without the key.
func (k *DataKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Format implements fmt.Formatter, so that %v of a struct that holds a key shows its name only.
func (k *DataKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// Seal encrypts plaintext and binds it to aad (a column's name and a row's id, say): Open must be given the same. It
// cannot fail; plaintext must not exceed MaxText.
func (k *DataKey) Seal(aad, plaintext []byte) []byte {
	out := make([]byte, headerLen, headerLen+len(plaintext)+gcmOverhead)
	out[0] = envelopeV1
	copy(out[1:], k.id[:])
	return k.aead.Seal(out, nil, plaintext, k.bind(aad)) //nolint:gosec // the cipher makes random nonces itself
}

func (k *DataKey) bind(aad []byte) []byte {
	b := make([]byte, 0, len(k.bound)+len(aad))
	return append(append(b, k.bound...), aad...)
}

// open decrypts a text whose header names this key.
func (k *DataKey) open(aad, sealed []byte) ([]byte, error) {
	out, err := k.aead.Open(nil, nil, sealed[headerLen:], k.bind(aad))
	if err != nil {
		return nil, errs.New(errs.Invalid, "the sealed text was altered, or it belongs to another record")
	}
	return out, nil
}

// KeyID returns the id of the key that a sealed text names. errs.Invalid: it is no sealed text.
func KeyID(sealed []byte) (string, error) {
	id, err := parseHeader(sealed)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

func parseHeader(sealed []byte) (uuid.UUID, error) {
	switch {
	case len(sealed) < Overhead:
		return uuid.UUID{}, errs.New(errs.Invalid, "the sealed text is too short: it was cut")
	case len(sealed) > MaxText+Overhead:
		return uuid.UUID{}, errs.New(errs.Invalid, "the sealed text is longer than %d bytes", MaxText)
	case sealed[0] != envelopeV1:
		return uuid.UUID{}, errs.New(errs.Invalid, "the sealed text has format %d, which this program does not know: update it", sealed[0])
	}
	return uuid.UUID(sealed[1:headerLen]), nil
}

func newAEAD(k secret) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return aead, nil
}

// bindings joins parts with their lengths, so that no two lists of parts give the same bytes.
func bindings(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func rowBindings(label string, r Row) []byte {
	return bindings(label, r.Tenant, r.ID, string(r.Purpose), r.Subject, itoa(r.Version))
}

// derive makes a key for another algorithm from key material (RFC 5869).
func derive(k secret, info string) (secret, error) {
	out, err := hkdf.Key(sha256.New, k[:], nil, info, 32)
	if err != nil {
		return secret{}, fmt.Errorf("deriving a key: %w", err)
	}
	return secret(out), nil
}

func newDataKey(r Row, k secret, loaded time.Time) (*DataKey, error) {
	id, err := uuid.Parse(r.ID)
	if err != nil {
		return nil, errs.New(errs.Internal, "data key %q has no valid id: restore the database from a backup", r.ID)
	}
	sealKey, err := derive(k, "tandem seal")
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(sealKey)
	if err != nil {
		return nil, err
	}
	return &DataKey{
		id: id, row: r, aead: aead, bound: rowBindings("tandem sealed text", r),
		arn: ResourceARN(r.Tenant, r.Purpose, r.Subject), loaded: loaded,
	}, nil
}

func itoa(n int) string { return strconv.Itoa(n) }
