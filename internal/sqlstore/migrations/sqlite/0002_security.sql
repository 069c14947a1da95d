-- +goose Up
CREATE TABLE tenant_keys (
  tenant TEXT NOT NULL,
  version INTEGER NOT NULL,
  root_id TEXT NOT NULL,
  wrapped BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant, version)
) STRICT;
-- tenant_version becomes NULL when a key is shredded: a tombstone must not keep a tenant key in use.
CREATE TABLE data_keys (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  purpose TEXT NOT NULL,
  subject TEXT NOT NULL,
  version INTEGER NOT NULL,
  tenant_version INTEGER,
  wrapped BLOB NOT NULL,
  at INTEGER NOT NULL,
  shredded_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, purpose, subject, version),
  FOREIGN KEY (tenant, tenant_version) REFERENCES tenant_keys (tenant, version)
) STRICT;
CREATE INDEX data_keys_wrapped ON data_keys (tenant, tenant_version);

-- The audit log is the hub's, of all tenants in one tree: entries name their tenant, hashes and checkpoints have none.
CREATE TABLE audit_blocks (
  block INTEGER PRIMARY KEY,
  hashes BLOB NOT NULL
) STRICT;
CREATE TABLE audit_checkpoints (
  size INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE TABLE audit_leases (
  name TEXT PRIMARY KEY,
  node TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  login TEXT NOT NULL,
  personal BLOB NOT NULL,
  roles TEXT NOT NULL,
  password TEXT NOT NULL,
  disabled INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  last_login_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, login)
) STRICT;
CREATE TABLE login_attempts (
  tenant TEXT NOT NULL,
  login_hash BLOB NOT NULL,
  failures INTEGER NOT NULL,
  locked_until INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant, login_hash)
) STRICT;
CREATE INDEX login_attempts_at ON login_attempts (at);
CREATE TABLE login_sessions (
  hash BLOB PRIMARY KEY,
  tenant TEXT NOT NULL,
  user_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX login_sessions_user ON login_sessions (tenant, user_id);
CREATE INDEX login_sessions_expires ON login_sessions (expires_at);
CREATE TABLE api_tokens (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE TABLE access_keys (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  secret BLOB NOT NULL,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX access_keys_tenant ON access_keys (tenant, id);

-- +goose Down
DROP TABLE access_keys;
DROP TABLE api_tokens;
DROP TABLE login_sessions;
DROP TABLE login_attempts;
DROP TABLE users;
DROP TABLE audit_leases;
DROP TABLE audit_checkpoints;
DROP TABLE audit_blocks;
DROP TABLE data_keys;
DROP TABLE tenant_keys;
