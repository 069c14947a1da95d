package salesforce

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc/peer"
)

// The certificate of the Pub/Sub API. An org with a folder of its own keeps it there, so that clients which trust it still do
// after a restart; one in a temporary folder makes one at each start.
const (
	certificateOf   = 10 * 365 * 24 * time.Hour
	renewWithin     = 30 * 24 * time.Hour // a certificate that ends sooner is replaced
	certificateFile = "pubsub-certificate.pem"
	certificateKey  = "pubsub-key.pem"
)

// certificate is the kept one, or a new one where there is none, it cannot be read, or it is about to end.
func (o *Org) certificate() (tls.Certificate, string, error) {
	if o.opts.Dir == "" {
		return selfSigned(o.now())
	}
	certPath, keyPath := filepath.Join(o.opts.Dir, certificateFile), filepath.Join(o.opts.Dir, certificateKey)
	cert, text, err := keptCertificate(certPath, keyPath, o.now())
	if err != nil || text != "" {
		return cert, text, err
	}
	if cert, text, err = selfSigned(o.now()); err != nil {
		return cert, "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("encoding the key of the Pub/Sub API: %w", err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	// Should the second not be written, the next start finds that they do not belong together.
	if err := errors.Join(replaceFile(keyPath, key, 0o600), replaceFile(certPath, []byte(text), 0o644)); err != nil {
		return tls.Certificate{}, "", fmt.Errorf("keeping the certificate of the Pub/Sub API: %w", err)
	}
	return cert, text, nil
}

// keptCertificate reads a certificate and its key; an empty text means that another has to be made.
func keptCertificate(certPath, keyPath string, now time.Time) (tls.Certificate, string, error) {
	text, certErr := os.ReadFile(certPath) //nolint:gosec // of the org's own folder
	key, keyErr := os.ReadFile(keyPath)    //nolint:gosec // of the org's own folder
	if errors.Is(certErr, fs.ErrNotExist) || errors.Is(keyErr, fs.ErrNotExist) {
		return tls.Certificate{}, "", nil
	}
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, "", fmt.Errorf("reading the certificate of the Pub/Sub API: %w", err)
	}
	cert, err := tls.X509KeyPair(text, key)
	if err != nil || cert.Leaf == nil || now.Before(cert.Leaf.NotBefore) || now.Add(renewWithin).After(cert.Leaf.NotAfter) {
		return tls.Certificate{}, "", nil //nolint:nilerr // what cannot be used is replaced
	}
	return cert, string(text), nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it is about
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(mode), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

func selfSigned(now time.Time) (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("making a certificate: %w", err)
	}
	tpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Sandbox Org"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateOf),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("making a certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text), nil
}

// remoteOf is the address a call comes from, as host:port.
func remoteOf(ctx context.Context) string {
	if p, known := peer.FromContext(ctx); known {
		return p.Addr.String()
	}
	return ""
}
