package keyring

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tandemcc/tandem/internal/errs"
)

// A blind index is "{version}.{22 characters}": HMAC-SHA-256 of field and value, cut to 128 bits. Equal values have equal
// indexes within a tenant and field; that, and the number of distinct values, is all an index tells. The last four digits
// have only 10,000 values: who holds the database and can have values indexed can learn them.

const (
	maxIndexed    = 512 // bytes of a value
	maxNameTokens = 16
)

type indexKey struct {
	version int
	key     secret
}

// indexKeys unwraps the living versions, newest first.
func indexKeys(t *tenantState, rows []Row) ([]indexKey, error) {
	var out []indexKey
	for _, row := range live(rows) {
		k, err := t.unwrap(row)
		if err != nil {
			return nil, err
		}
		if k, err = derive(k, "tandem blind index"); err != nil {
			return nil, err
		}
		out = append(out, indexKey{row.Version, k})
	}
	slices.SortFunc(out, func(a, b indexKey) int { return cmp.Compare(b.version, a.version) })
	return out, nil
}

func (k indexKey) token(field, value string) string {
	mac := hmac.New(sha256.New, k.key[:])
	mac.Write(bindings(field, value))
	var sum [sha256.Size]byte
	return strconv.Itoa(k.version) + "." + encodeToken(mac.Sum(sum[:0])[:16])
}

// Form is one searchable form of a value: the field it is indexed under and its normalised text.
type Form struct{ Field, Value string }

// NumberForms returns the forms of a phone number in E.164 form (or any text with digits): the whole number under field,
// its last 7 digits under field+"#7" and its last 4 under field+"#4". Too short numbers have fewer forms.
func NumberForms(field, e164 string) []Form {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, e164)
	if digits == "" {
		return nil
	}
	whole := digits
	if strings.HasPrefix(strings.TrimSpace(e164), "+") {
		whole = "+" + digits
	}
	forms := []Form{{field, whole}}
	for _, n := range []int{7, 4} {
		if len(digits) >= n {
			forms = append(forms, Form{field + "#" + strconv.Itoa(n), digits[len(digits)-n:]})
		}
	}
	return forms
}

// EmailForm returns the form of an e-mail address: case does not count. ok is false when there is no address in it.
func EmailForm(field, email string) (f Form, ok bool) {
	email = strings.ToLower(strings.TrimSpace(email))
	at := strings.LastIndexByte(email, '@')
	if at <= 0 || at == len(email)-1 {
		return Form{}, false
	}
	return Form{field, email}, true
}

// NameForms returns a form per word of a name, without case and the accents of Latin letters, at most 16.
func NameForms(field, name string) []Form {
	words := strings.FieldsFunc(fold(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var forms []Form
	for _, w := range words {
		f := Form{field, w}
		if !slices.Contains(forms, f) {
			forms = append(forms, f)
		}
		if len(forms) == maxNameTokens {
			break
		}
	}
	return forms
}

// accents maps letters of Latin-1 and Latin Extended-A to what they are compared as.
const accents = "àaáaâaãaäaåaāaăaąaçcćcĉcċcčcďdđdèeéeêeëeēeĕeėeęeěeĝgğgġgģgĥhħhìiíiîiïiĩiīiĭiįiıiĵjķkĺlļlľlłlñnńnņnňnòoóoôoõoöoøoōoŏoőo" +
	"ŕrŗrřrśsŝsşsšsșsţtťtŧtțtùuúuûuüuũuūuŭuůuűuųuŵwýyÿyŷyźzżzžz"

// fold lowers letters, drops combining marks and Latin accents, and spells ß, æ and œ out.
func fold(s string) string {
	var b strings.Builder
	for _, r := range s {
		r = unicode.ToLower(r)
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r):
		case r == 'ß':
			b.WriteString("ss")
		case r == 'æ':
			b.WriteString("ae")
		case r == 'œ':
			b.WriteString("oe")
		default:
			if i := strings.IndexRune(accents, r); i >= 0 {
				b.WriteByte(accents[i+len(string(r))])
				continue
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (r *Ring) indexes(ctx context.Context, tenant, field string) ([]indexKey, error) {
	if err := r.authz.Check(ctx, ActionIndex, ResourceARN(tenant, index, field)); err != nil {
		return nil, err
	}
	t := r.tenant(tenant)
	if t == nil || len(t.index) == 0 {
		return nil, errs.New(errs.NotFound, "tenant %q has no index keys yet: make them at start", tenant)
	}
	return t.index, nil
}

// Blind returns the index to store for a normalised value of a field. It does no I/O.
func (r *Ring) Blind(ctx context.Context, tenant, field, value string) (string, error) {
	keys, err := r.indexes(ctx, tenant, field)
	if err != nil {
		return "", err
	}
	if len(value) > maxIndexed {
		return "", errs.New(errs.Invalid, "a searchable value has at most %d bytes", maxIndexed)
	}
	return keys[0].token(field, value), nil
}

// Search returns the indexes to look a value up by: one per living version, newest first, as rows may not have been
// indexed anew yet.
func (r *Ring) Search(ctx context.Context, tenant string, f Form) ([]string, error) {
	keys, err := r.indexes(ctx, tenant, f.Field)
	if err != nil {
		return nil, err
	}
	if len(f.Value) > maxIndexed {
		return nil, errs.New(errs.Invalid, "a searchable value has at most %d bytes", maxIndexed)
	}
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.token(f.Field, f.Value)
	}
	return out, nil
}

// IndexVersion returns the version that Blind uses; rows whose index has a lower one (TokenVersion) are to be indexed anew.
func (r *Ring) IndexVersion(tenant string) int {
	t := r.tenant(tenant)
	if t == nil || len(t.index) == 0 {
		return 0
	}
	return t.index[0].version
}

// TokenVersion returns the version of an index, 0 when it is none.
func TokenVersion(token string) int {
	v, _, ok := strings.Cut(token, ".")
	n, err := strconv.Atoi(v)
	if !ok || err != nil || n < 1 {
		return 0
	}
	return n
}

// RotateIndex makes a new index key and returns its version: new rows are indexed with it, searches use all living ones.
// Have a job index old rows anew, then call RetireIndex. Other nodes must call Reload before that: until then they index with the
// former key.
func (r *Ring) RotateIndex(ctx context.Context, tenant string) (int, error) {
	if err := r.authz.Check(ctx, ActionRotate, ResourceARN(tenant, index, "")); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx, tenant); err != nil {
		return 0, err
	}
	return r.addIndex(ctx, tenant, r.IndexVersion(tenant)+1)
}

// RetireIndex destroys index keys older than the current one. Rows that still carry their indexes are found no more.
func (r *Ring) RetireIndex(ctx context.Context, tenant string) error {
	if err := r.authz.Check(ctx, ActionRotate, ResourceARN(tenant, index, "")); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx, tenant); err != nil {
		return err
	}
	version, at := r.IndexVersion(tenant), r.now().UTC()
	if version < 2 {
		return nil
	}
	err := r.store.Update(ctx, func(tx Tx) error {
		_, err := tx.ShredDataKeys(ctx, tenant, index, "", version, at)
		return err
	})
	if err != nil {
		return fmt.Errorf("retiring index keys: %w", err)
	}
	return r.reload(ctx, tenant)
}

// addIndex makes and stores an index key; r.mu is held. When another node was first, theirs is used.
func (r *Ring) addIndex(ctx context.Context, tenant string, version int) (int, error) {
	k, err := r.makeKey(tenant, index, "", version)
	if err != nil {
		return 0, err
	}
	err = r.store.Update(ctx, func(tx Tx) error { return tx.PutDataKey(ctx, k.row) })
	if err != nil && !errs.Is(err, errs.Conflict) {
		return 0, fmt.Errorf("storing an index key: %w", err)
	}
	return version, r.reload(ctx, tenant)
}
