package console

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAssetsArePacked(t *testing.T) {
	t.Parallel()
	script := strings.Repeat("console.log(1);", 500)
	h := newHandler(fstest.MapFS{
		"index.html":     {Data: []byte(builtPage)},
		"assets/a-1.js":  {Data: []byte(script)},
		"assets/b-1.js":  {Data: []byte("1")},
		"assets/c-1.png": {Data: []byte(script)},
	})
	tests := []struct {
		name, target, accept string
		packed               bool
	}{
		{"accepted", "/assets/a-1.js", "gzip, br", true},
		{"accepted with weight", "/assets/a-1.js", "br;q=1, GZIP;q=0.5", true},
		{"refused by weight", "/assets/a-1.js", "gzip;q=0", false},
		{"not named", "/assets/a-1.js", "br", false},
		{"no header", "/assets/a-1.js", "", false},
		{"too small", "/assets/b-1.js", "gzip", false},
		{"packed already by its format", "/assets/c-1.png", "gzip", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.target, http.NoBody)
			r.Header.Set("Accept-Encoding", tt.accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("Content-Encoding") == "gzip"; got != tt.packed {
				t.Fatalf("packed = %v, want %v", got, tt.packed)
			}
			if w.Header().Get("Cache-Control") != cacheForever {
				t.Errorf("Cache-Control = %q, want %q", w.Header().Get("Cache-Control"), cacheForever)
			}
			if !tt.packed {
				return
			}
			if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/javascript") {
				t.Errorf("Content-Type = %q, want text/javascript", got)
			}
			unpacked, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(unpacked); err != nil || string(got) != script {
				t.Errorf("unpacked %d bytes, %v; want the %d of the file", len(got), err, len(script))
			}
		})
	}
}
