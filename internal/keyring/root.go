package keyring

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/tandemcc/tandem/internal/errs"
)

// Parameters of argon2id for a passphrase (RFC 9106 §4, second recommended option: 64 MiB, 3 passes).
const (
	kdfTime    = 3
	kdfMemory  = 64 << 10 // KiB
	kdfThreads = 4
	saltLen    = 16

	rootFormat  = "tandem-root-key"
	maxRootFile = 64 << 10 // bytes
	maxRootKeys = 16
)

// Root is the key that wraps tenant keys. It is safe for concurrent use.
type Root struct {
	path       string
	passphrase []byte

	mu   sync.RWMutex // guards keys and salt
	keys []rootKey    // the last one is current; more than one only while a rotation is under way
	salt []byte
}

type rootKey struct {
	id   string
	key  secret
	aead cipher.AEAD
}

type rootFile struct {
	Format  string         `json:"format"`
	Version int            `json:"version"`
	KDF     *rootKDF       `json:"kdf,omitempty"`
	Keys    []rootFileItem `json:"keys"`
}

type rootKDF struct {
	Name    string `json:"name"`
	Salt    []byte `json:"salt"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memoryKiB"`
	Threads uint8  `json:"threads"`
}

type rootFileItem struct {
	ID  string `json:"id"`
	Key []byte `json:"key"` // in clear, or sealed under the passphrase's key
}

// OpenRoot reads the root key file at path and makes it at the first start (mode 0600, synced to disk before it is used).
// With a passphrase the file holds the key sealed under argon2id; without one the file is the key. A file that others may
// read is refused, and so is a file of the other kind. Losing the file or the passphrase loses all sealed data.
func OpenRoot(path string, passphrase []byte) (*Root, error) {
	r := &Root{path: path, passphrase: append([]byte(nil), passphrase...)}
	err := r.load()
	if !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return nil, err
		}
		return r, nil
	}
	r.salt = random(saltLen)
	k, err := newRootKey()
	if err != nil {
		return nil, err
	}
	r.keys = []rootKey{k}
	if err := r.create(); err != nil {
		return nil, err
	}
	// Another process may have been first: what the file says counts.
	if err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// String implements fmt.Stringer without the key.
func (r *Root) String() string { return "root key " + r.ID() }

// GoString implements fmt.GoStringer without the key.
func (r *Root) GoString() string { return r.String() }

// Format implements fmt.Formatter, so that no verb reaches the key.
func (r *Root) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// MarshalText implements encoding.TextMarshaler without the key.
func (r *Root) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ID returns the name of the current root key.
func (r *Root) ID() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[len(r.keys)-1].id
}

func newRootKey() (rootKey, error) {
	return makeRootKey(hex.EncodeToString(random(8)), secret(random(32)))
}

func makeRootKey(id string, k secret) (rootKey, error) {
	aead, err := newAEAD(k)
	if err != nil {
		return rootKey{}, err
	}
	return rootKey{id: id, key: k, aead: aead}, nil
}

func (r *Root) load() error {
	f, err := os.Open(r.path)
	if err != nil {
		return fmt.Errorf("opening the root key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at the root key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return errs.New(errs.Invalid, "root key file %s can be read by others (mode %04o): run chmod 600 on it", r.path, info.Mode().Perm())
	}
	if info.Size() > maxRootFile {
		return errs.New(errs.Invalid, "root key file %s is larger than %d bytes: it is no root key", r.path, maxRootFile)
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		return fmt.Errorf("reading the root key: %w", err)
	}
	keys, salt, err := parseRoot(data, r.passphrase)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys, r.salt = keys, salt
	return nil
}

// parseRoot reads a root key file. It is separate from load so that it can be fuzzed.
func parseRoot(data, passphrase []byte) (keys []rootKey, salt []byte, err error) {
	var f rootFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, nil, errs.New(errs.Invalid, "the root key file is damaged: restore it from a backup")
	}
	if f.Format != rootFormat || f.Version != 1 || len(f.Keys) == 0 || len(f.Keys) > maxRootKeys {
		return nil, nil, errs.New(errs.Invalid, "the root key file has an unknown form: restore it from a backup, or update the program")
	}
	if (f.KDF != nil) != (len(passphrase) > 0) {
		return nil, nil, errs.New(errs.Invalid, "the root key file and the configuration disagree on whether a passphrase is used")
	}
	var kek cipher.AEAD
	if f.KDF != nil {
		if kek, err = f.KDF.open(passphrase); err != nil {
			return nil, nil, err
		}
		salt = f.KDF.Salt
	}
	for _, item := range f.Keys {
		raw := item.Key
		if kek != nil {
			if raw, err = kek.Open(nil, nil, item.Key, []byte(rootFormat+item.ID)); err != nil {
				return nil, nil, errs.New(errs.Denied, "the passphrase does not open the root key file")
			}
		}
		if len(raw) != 32 || item.ID == "" {
			return nil, nil, errs.New(errs.Invalid, "the root key file is damaged: restore it from a backup")
		}
		k, err := makeRootKey(item.ID, secret(raw))
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, k)
	}
	return keys, salt, nil
}

// open derives the key that seals root keys. The file's parameters are bounded, as a hostile file could ask for all memory.
func (k *rootKDF) open(passphrase []byte) (cipher.AEAD, error) {
	if k.Name != "argon2id" || len(k.Salt) < 8 || len(k.Salt) > 64 || k.Time < 1 || k.Time > 16 ||
		k.Memory < 8 || k.Memory > 1<<20 || k.Threads < 1 || k.Threads > 32 {
		return nil, errs.New(errs.Invalid, "the root key file has unusable argon2id parameters: restore it from a backup")
	}
	return newAEAD(secret(argon2.IDKey(passphrase, k.Salt, k.Time, k.Memory, k.Threads, 32)))
}

// encode returns the file's content; the caller holds r.mu or owns r.
func (r *Root) encode() ([]byte, error) {
	f := rootFile{Format: rootFormat, Version: 1}
	var kek cipher.AEAD
	if len(r.passphrase) > 0 {
		f.KDF = &rootKDF{Name: "argon2id", Salt: r.salt, Time: kdfTime, Memory: kdfMemory, Threads: kdfThreads}
		var err error
		if kek, err = f.KDF.open(r.passphrase); err != nil {
			return nil, err
		}
	}
	for _, k := range r.keys {
		item := rootFileItem{ID: k.id, Key: append([]byte(nil), k.key[:]...)}
		if kek != nil {
			item.Key = kek.Seal(nil, nil, k.key[:], []byte(rootFormat+k.id)) //nolint:gosec // the cipher makes random nonces itself
		}
		f.Keys = append(f.Keys, item)
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the root key: %w", err)
	}
	return append(data, '\n'), nil
}

// create writes the file unless one is there; whoever links first wins.
func (r *Root) create() error {
	return r.write(func(tmp string) error {
		err := os.Link(tmp, r.path)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	})
}

func (r *Root) replace() error {
	return r.write(func(tmp string) error { return os.Rename(tmp, r.path) })
}

// write puts the content into a temporary file, syncs it, lets place move it to its name and syncs the folder, so that a
// crash leaves the old file or the new one.
func (r *Root) write(place func(tmp string) error) (err error) {
	data, err := r.encode()
	if err != nil {
		return err
	}
	dir := filepath.Dir(r.path)
	tmp, err := os.CreateTemp(dir, ".root-key-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("making the root key file: %w", err)
	}
	defer func() {
		if rmErr := os.Remove(tmp.Name()); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
	}()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing the root key file: %w", err)
	}
	if err = place(tmp.Name()); err != nil {
		return fmt.Errorf("placing the root key file: %w", err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the file in it
	if err != nil {
		return fmt.Errorf("opening the root key's folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing the root key's folder: %w", err)
	}
	return nil
}

// addKey makes a new current key and stores it beside the old ones.
func (r *Root) addKey() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := newRootKey()
	if err != nil {
		return err
	}
	old := r.keys
	r.keys = append(append([]rootKey(nil), old...), k)
	if len(r.keys) > maxRootKeys {
		r.keys = old
		return errs.New(errs.Conflict, "too many root keys are in use: an earlier rotation did not finish")
	}
	if err := r.replace(); err != nil {
		r.keys = old
		return err
	}
	return nil
}

// dropOld removes every key but the current one from the file. Nothing may be wrapped under them any more.
func (r *Root) dropOld() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) == 1 {
		return nil
	}
	old := r.keys
	r.keys = old[len(old)-1:]
	if err := r.replace(); err != nil {
		r.keys = old
		return err
	}
	return nil
}

func (r *Root) rotating() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.keys) > 1
}

func rootAAD(rootID, tenant string, version int) []byte {
	return bindings("tandem tenant key", rootID, tenant, itoa(version))
}

// wrap seals a tenant key under the current root key.
func (r *Root) wrap(tenant string, version int, k secret) (rootID string, wrapped []byte) {
	r.mu.RLock()
	cur := r.keys[len(r.keys)-1]
	r.mu.RUnlock()
	return cur.id, cur.aead.Seal(nil, nil, k[:], rootAAD(cur.id, tenant, version)) //nolint:gosec // the cipher makes random nonces itself
}

func (r *Root) unwrap(t TenantKey) (secret, error) {
	r.mu.RLock()
	keys := r.keys
	r.mu.RUnlock()
	for _, k := range keys {
		if k.id != t.RootID {
			continue
		}
		raw, err := k.aead.Open(nil, nil, t.Wrapped, rootAAD(k.id, t.Tenant, t.Version))
		if err != nil || len(raw) != 32 {
			return secret{}, errs.New(errs.Internal, "the stored key of tenant %q is damaged: restore the database from a backup", t.Tenant)
		}
		return secret(raw), nil
	}
	return secret{}, errs.New(errs.Unavailable, "root key %s, which the database was written with, is not in %s: restore that file from a backup",
		t.RootID, r.path)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func encodeToken(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
