package salesforce

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pinned starts the Pub/Sub API of an org in dir at a moment, and returns its certificate after it was used.
func pinned(t *testing.T, dir string, at time.Time) string {
	t.Helper()
	org, err := New(Options{Dir: dir, Seed: SeedNone, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	p, err := org.PubSub("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(p.Certificate())) {
		t.Fatalf("no certificate: %s", p.Certificate())
	}
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, Time: func() time.Time { return at }}}
	conn, err := d.DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatalf("a client that trusts the certificate: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := org.Close(); err != nil {
		t.Error(err)
	}
	return p.Certificate()
}

// TestCertificateIsKept: with a folder the certificate is the same after a restart, until it is about to end, is lost or broken;
// its key is for the owner alone. Without a folder each start has another.
func TestCertificateIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, cert := filepath.Join(dir, certificateKey), filepath.Join(dir, certificateFile)
	now := fixedNow()
	first := pinned(t, dir, now)
	if pinned(t, dir, now.AddDate(1, 0, 0)) != first {
		t.Error("a restart changes it")
	}
	info, err := os.Stat(key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v", info, err)
	}
	if kept, err := os.ReadFile(cert); err != nil || string(kept) != first {
		t.Errorf("the file is another one: %v", err)
	}
	later := now.Add(certificateOf - renewWithin + time.Hour)
	second := pinned(t, dir, later)
	if second == first || pinned(t, dir, later) != second {
		t.Error("it is not renewed before it ends, or each time")
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	third := pinned(t, dir, later)
	if third == second {
		t.Error("a lost key")
	}
	if err := os.WriteFile(cert, []byte(first), 0o600); err != nil { // of another key
		t.Fatal(err)
	}
	if fourth := pinned(t, dir, later); fourth == third || fourth == first {
		t.Error("a certificate of another key is kept")
	}
	if one, another := pinned(t, "", now), pinned(t, "", now); one == another {
		t.Error("two orgs in temporary folders have the same")
	}
}
