package sqlstore_test

import (
	"testing"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

func TestContactStore(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Contact(t, sqlstore.As[contact.Tx](db)) })
}

func TestEntryPointNumbers(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Numbers(t, sqlstore.As[registry.Tx](db)) })
}

func TestRegistryStore(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Registry(t, sqlstore.As[registry.Tx](db)) })
}

func TestRoutingStore(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Routing(t, sqlstore.As[routing.Tx](db)) })
}

func TestLibraryStore(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Library(t, sqlstore.As[library.Tx](db)) })
}
