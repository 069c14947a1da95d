package app

import (
	"context"
	"regexp"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/config"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/voice"
)

// trunkOf turns the settings into what voice calls through.
func trunkOf(c config.Trunk) (voice.Trunk, error) {
	allow, err := regexp.Compile(`^(?:` + c.Allow + `)$`)
	if err != nil {
		return voice.Trunk{}, errs.Wrap(errs.Invalid, err, "trunk.allow is no regular expression: %v", err)
	}
	return voice.Trunk{Address: c.Address, From: c.From, User: c.User, Password: c.Password, Allow: allow, MaxCalls: c.MaxCalls}, nil
}

// stations keeps agents' telephones in the database, sealed like everything that is known of users. It implements voice.Stations.
type stations struct {
	db  *sqlstore.DB
	box keyring.Box
	as  caller.Principal
}

func stationAAD(agentID string) []byte { return []byte("station/" + agentID) }

// Put implements voice.Stations.
func (s stations) Put(ctx context.Context, tenant, agentID, address string) error {
	if address == "" {
		return s.db.PutStation(ctx, tenant, agentID, nil)
	}
	sealed, err := s.box.Seal(caller.As(ctx, s.as), tenant, agentID, stationAAD(agentID), []byte(address))
	if err != nil {
		return err
	}
	return s.db.PutStation(ctx, tenant, agentID, sealed)
}

// All implements voice.Stations.
func (s stations) All(ctx context.Context, tenant string) (map[string]string, error) {
	list, err := s.db.Stations(ctx, tenant)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(list))
	for agentID, sealed := range list {
		plain, err := s.box.Open(caller.As(ctx, s.as), tenant, sealed, stationAAD(agentID))
		if errs.Is(err, errs.NotFound) {
			continue // what was known of the user was erased
		}
		if err != nil {
			return nil, err
		}
		out[agentID] = string(plain)
	}
	return out, nil
}
