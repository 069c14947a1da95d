-- +goose Up
CREATE TABLE events (
  seq BIGINT PRIMARY KEY,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  at BIGINT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX events_tenant ON events (tenant, seq);
CREATE INDEX events_at ON events (at);
CREATE TABLE event_outbox (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  at BIGINT NOT NULL,
  data TEXT NOT NULL
);
CREATE TABLE event_cursors (consumer TEXT PRIMARY KEY, seq BIGINT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE settings (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (tenant, name)
);
CREATE TABLE jobs (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  order_key TEXT NOT NULL,
  connection TEXT NOT NULL,
  payload BYTEA NOT NULL,
  state TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  max_attempts BIGINT NOT NULL,
  run_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  node TEXT NOT NULL,
  last_error TEXT NOT NULL,
  finished_at BIGINT NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at, seq) WHERE state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_order ON jobs (tenant, order_key, seq) WHERE state IN ('available', 'scheduled', 'retryable', 'running');
CREATE INDEX jobs_running ON jobs (node, lease_until) WHERE state = 'running';
CREATE INDEX jobs_list ON jobs (tenant, state, seq);
CREATE INDEX jobs_finished ON jobs (finished_at);
CREATE TABLE audit_entries (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  seq BIGINT UNIQUE,
  tenant TEXT NOT NULL,
  at BIGINT NOT NULL,
  principal TEXT NOT NULL,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL,
  commitment BYTEA NOT NULL,
  salt BYTEA NOT NULL
);
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
