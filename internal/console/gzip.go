package console

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// smallest is the size in bytes under which packing does not pay.
const smallest = 1024

// textTypes are the files worth packing; package mime would ask the operating system, which may be wrong.
var textTypes = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
}

// packAll finds the hashed text files and gives for each a function that packs it at the first
// request for it and remembers the result: a few hundred kilobytes for the whole console.
func packAll(files fs.FS) map[string]func() []byte {
	packed := map[string]func() []byte{}
	names, err := fs.Glob(files, assetsDir+"*")
	if err != nil {
		// Only a malformed pattern fails, and this one is constant.
		return packed
	}
	for _, name := range names {
		if _, ok := textTypes[path.Ext(name)]; ok {
			packed[name] = sync.OnceValue(func() []byte { return pack(files, name) })
		}
	}
	return packed
}

// pack returns the file packed, or nil when it is unreadable or too small.
func pack(files fs.FS, name string) []byte {
	data, err := fs.ReadFile(files, name)
	if err != nil || len(data) < smallest {
		return nil
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	// A bytes.Buffer takes everything.
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3): gzip named and not refused by a weight of 0.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, found := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		value, err := strconv.ParseFloat(q, 64)
		return !found || err == nil && value > 0
	}
	return false
}

func servePacked(w http.ResponseWriter, r *http.Request, name string, packed []byte) {
	header := w.Header()
	header.Set("Content-Type", textTypes[path.Ext(name)])
	header.Set("Content-Encoding", "gzip")
	header.Set("Content-Length", strconv.Itoa(len(packed)))
	if r.Method == http.MethodHead {
		return
	}
	// The client is gone when this fails; there is nobody left to tell.
	_, _ = w.Write(packed)
}
