-- +goose Up
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  at INTEGER NOT NULL,
  data TEXT NOT NULL
) STRICT;
CREATE INDEX events_tenant ON events (tenant, seq);
CREATE INDEX events_at ON events (at);
CREATE TABLE event_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  at INTEGER NOT NULL,
  data TEXT NOT NULL
) STRICT;
CREATE TABLE event_cursors (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE settings (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT;
CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  order_key TEXT NOT NULL,
  connection TEXT NOT NULL,
  payload BLOB NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  node TEXT NOT NULL,
  last_error TEXT NOT NULL,
  finished_at INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_due ON jobs (run_at, seq) WHERE state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_order ON jobs (tenant, order_key, seq) WHERE state IN ('available', 'scheduled', 'retryable', 'running');
CREATE INDEX jobs_running ON jobs (node, lease_until) WHERE state = 'running';
CREATE INDEX jobs_list ON jobs (tenant, state, seq);
CREATE INDEX jobs_finished ON jobs (finished_at);
CREATE TABLE audit_entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  seq INTEGER UNIQUE,
  tenant TEXT NOT NULL,
  at INTEGER NOT NULL,
  principal TEXT NOT NULL,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL,
  commitment BLOB NOT NULL,
  salt BLOB NOT NULL
) STRICT;
CREATE INDEX audit_pending ON audit_entries (id) WHERE seq IS NULL;
CREATE INDEX audit_tenant ON audit_entries (tenant, id);

-- +goose Down
DROP TABLE audit_entries;
DROP TABLE jobs;
DROP TABLE settings;
DROP TABLE counters;
DROP TABLE event_cursors;
DROP TABLE event_outbox;
DROP TABLE events;
