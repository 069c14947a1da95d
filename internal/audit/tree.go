package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tandemcc/tandem/internal/errs"
)

// frontier holds the roots of the complete subtrees at the right edge of a tree, which is all that growing it needs.
type frontier struct {
	size  int64
	roots [64]tlog.Hash // by level; valid where size has a bit
}

// add appends a leaf and returns the hashes to store, which follow StoredHashCount(size) in order.
func (f *frontier) add(leaf tlog.Hash, out []tlog.Hash) []tlog.Hash {
	out = append(out, leaf)
	level := 0
	for n := f.size; n&1 == 1; n >>= 1 {
		leaf = tlog.NodeHash(f.roots[level], leaf)
		out = append(out, leaf)
		level++
	}
	f.roots[level] = leaf
	f.size++
	return out
}

// root returns the tree's hash (RFC 6962 §2.1).
func (f *frontier) root() tlog.Hash {
	if f.size == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	level := bits.TrailingZeros64(uint64(f.size)) //nolint:gosec // a size is not negative
	h := f.roots[level]
	for level++; f.size>>level > 0; level++ {
		if f.size>>level&1 == 1 {
			h = tlog.NodeHash(f.roots[level], h)
		}
	}
	return h
}

// loadFrontier reads the right edge of a tree of that size.
func loadFrontier(size int64, r tlog.HashReader) (*frontier, error) {
	f := &frontier{size: size}
	var indexes []int64
	var levels []int
	for level := 0; size>>level > 0; level++ {
		if size>>level&1 == 1 {
			indexes = append(indexes, tlog.StoredHashIndex(level, size>>level-1))
			levels = append(levels, level)
		}
	}
	hashes, err := r.ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	for i, level := range levels {
		f.roots[level] = hashes[i]
	}
	return f, nil
}

// blocks reads and appends stored hashes in a transaction.
type blocks struct {
	ctx   context.Context //nolint:containedctx // tlog.HashReader passes none; a value lives for one call
	tx    Tx
	cache map[int64][]byte
}

func newBlocks(ctx context.Context, tx Tx) *blocks {
	return &blocks{ctx: ctx, tx: tx, cache: map[int64][]byte{}}
}

func (b *blocks) block(n int64) ([]byte, error) {
	if data, ok := b.cache[n]; ok {
		return data, nil
	}
	data, err := b.tx.AuditBlock(b.ctx, n)
	if err != nil {
		return nil, fmt.Errorf("reading hashes of the audit log: %w", err)
	}
	b.cache[n] = data
	return data, nil
}

// ReadHashes implements tlog.HashReader.
func (b *blocks) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		data, err := b.block(index / blockHashes)
		if err != nil {
			return nil, err
		}
		at := int(index%blockHashes) * tlog.HashSize
		if len(data) < at+tlog.HashSize {
			return nil, errs.New(errs.Internal, "hash %d of the audit log is missing: verify the log, then restore the database", index)
		}
		copy(out[i][:], data[at:])
	}
	return out, nil
}

// write stores hashes that follow the first from stored ones.
func (b *blocks) write(from int64, hashes []tlog.Hash) error {
	for len(hashes) > 0 {
		n, at := from/blockHashes, int(from%blockHashes)
		var data []byte
		if at > 0 {
			old, err := b.block(n)
			if err != nil {
				return err
			}
			if len(old) < at*tlog.HashSize {
				return errs.New(errs.Internal, "hashes of the audit log before %d are missing: verify the log, then restore the database", from)
			}
			data = append(data, old[:at*tlog.HashSize]...)
		}
		take := min(len(hashes), blockHashes-at)
		for _, h := range hashes[:take] {
			data = append(data, h[:]...)
		}
		if err := b.tx.PutAuditBlock(b.ctx, n, data); err != nil {
			return fmt.Errorf("storing hashes of the audit log: %w", err)
		}
		b.cache[n] = data
		hashes, from = hashes[take:], from+int64(take)
	}
	return nil
}

// checkpointText is the body of a checkpoint note (C2SP tlog-checkpoint).
func checkpointText(origin string, size int64, root tlog.Hash) string {
	return origin + "\n" + strconv.FormatInt(size, 10) + "\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
}

const maxCheckpoint = 8 << 10 // bytes of a note

// ParseCheckpoint reads a checkpoint note, checks that one of the verifiers' signatures is valid and that it is from origin.
func ParseCheckpoint(text, origin string, verifiers note.Verifiers) (tlog.Tree, error) {
	if len(text) > maxCheckpoint {
		return tlog.Tree{}, errs.New(errs.Invalid, "the checkpoint is longer than %d bytes", maxCheckpoint)
	}
	n, err := note.Open([]byte(text), verifiers)
	if err != nil {
		return tlog.Tree{}, errs.Wrap(errs.Invalid, err, "the checkpoint's signature is not valid")
	}
	return parseBody(n.Text, origin)
}

// parseBody reads the text of a checkpoint. Lines after the third are extensions.
func parseBody(text, origin string) (tlog.Tree, error) {
	bad := errs.New(errs.Invalid, "the checkpoint has not the form of a checkpoint of %s", origin)
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 || lines[0] != origin {
		return tlog.Tree{}, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, bad
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, bad
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// Proof shows that an entry is in a log: tlog.CheckRecord(Path, Size, Root, Seq-1, tlog.RecordHash(Leaf)).
type Proof struct {
	Seq        int64            `json:"seq"`
	Leaf       []byte           `json:"leaf"`
	Path       tlog.RecordProof `json:"path"`
	Checkpoint string           `json:"checkpoint"`
}

// Prove returns the inclusion proof of an entry against the newest checkpoint. errs.NotFound: no sealed entry has that seq.
func Prove(ctx context.Context, store Store, seq int64) (Proof, error) {
	var p Proof
	err := store.View(ctx, func(tx Tx) error {
		head, size, err := headOf(ctx, tx)
		if err != nil {
			return err
		}
		entries, err := tx.AuditEntries(ctx, seq-1, 1)
		if err != nil {
			return err
		}
		if seq < 1 || seq > size || len(entries) == 0 || entries[0].Seq != seq {
			return errs.New(errs.NotFound, "the audit log has no sealed entry %d", seq)
		}
		path, err := tlog.ProveRecord(size, seq-1, newBlocks(ctx, tx))
		if err != nil {
			return fmt.Errorf("proving entry %d: %w", seq, err)
		}
		p = Proof{Seq: seq, Leaf: entries[0].Leaf(), Path: path, Checkpoint: head.Note}
		return nil
	})
	return p, err
}

// ProveGrowth returns the proof that the log of the newest checkpoint continues the log of size older:
// tlog.CheckTree(path, size, root, older, olderRoot). errs.Invalid: the log is not that long.
func ProveGrowth(ctx context.Context, store Store, older int64) (path tlog.TreeProof, checkpoint string, err error) {
	err = store.View(ctx, func(tx Tx) error {
		head, size, err := headOf(ctx, tx)
		if err != nil {
			return err
		}
		if older < 1 || older > size {
			return errs.New(errs.Invalid, "the audit log has %d entries: give a size from 1 to that", size)
		}
		path, err = tlog.ProveTree(size, older, newBlocks(ctx, tx))
		checkpoint = head.Note
		return err
	})
	return path, checkpoint, err
}

func headOf(ctx context.Context, tx Tx) (Checkpoint, int64, error) {
	head, err := tx.AuditHead(ctx)
	if err != nil {
		return head, 0, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	return head, head.Size, nil
}

// Tiles writes the tree as C2SP tlog-tiles: emit is called with a path ("tile/0/000", "tile/0/001.p/17") and its content
// for every tile of height 8 of the tree of the newest checkpoint, and once with "checkpoint".
func Tiles(ctx context.Context, store Store, emit func(path string, data []byte) error) error {
	head, err := Head(ctx, store)
	if err != nil || head.Size == 0 {
		return err
	}
	const height = 8
	for _, tile := range tlog.NewTiles(height, 0, head.Size) {
		var data []byte
		err := store.View(ctx, func(tx Tx) (err error) {
			data, err = tlog.ReadTileData(tile, newBlocks(ctx, tx))
			return err
		})
		if err != nil {
			return fmt.Errorf("reading tile %s: %w", tile.Path(), err)
		}
		// sumdb names the height in the path, tlog-tiles does not.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		if err := emit(path, data); err != nil {
			return err
		}
	}
	return emit("checkpoint", []byte(head.Note))
}

// Head returns the newest checkpoint, a zero one for an empty log.
func Head(ctx context.Context, store Store) (c Checkpoint, err error) {
	err = store.View(ctx, func(tx Tx) error {
		c, err = tx.AuditHead(ctx)
		return err
	})
	return c, err
}

var errStop = errors.New("stop")
