package sqlstore_test

import (
	"testing"

	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

func TestKeyringStore(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Keyring(t, sqlstore.As[keyring.Tx](db)) })
}

func TestKeyringStoreConcurrent(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.KeyringConcurrent(t, sqlstore.As[keyring.Tx](db)) })
}
