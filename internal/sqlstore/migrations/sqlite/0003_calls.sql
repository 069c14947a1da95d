-- +goose Up
CREATE TABLE objects (
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  body BLOB NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, kind, id),
  UNIQUE (tenant, kind, name_key)
) STRICT;
CREATE TABLE agent_states (
  tenant TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  state TEXT NOT NULL,
  reason_id TEXT NOT NULL,
  reason_name TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant, agent_id)
) STRICT;
CREATE TABLE contacts (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  node TEXT NOT NULL,
  state TEXT NOT NULL,
  state_at INTEGER NOT NULL,
  dnis TEXT NOT NULL,
  entry_point_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  flow_version INTEGER NOT NULL,
  queue_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  priority INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  queued_at INTEGER NOT NULL,
  offered_at INTEGER NOT NULL,
  answered_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  wrap_up_until INTEGER NOT NULL,
  closed_at INTEGER NOT NULL,
  end_reason TEXT NOT NULL,
  disposition_id TEXT NOT NULL,
  write_back TEXT NOT NULL,
  version INTEGER NOT NULL,
  body BLOB NOT NULL,
  session BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX contacts_open ON contacts (node, id) WHERE closed_at = 0;
CREATE INDEX contacts_agent ON contacts (tenant, agent_id, id);
CREATE INDEX contacts_created ON contacts (tenant, created_at);
CREATE INDEX contacts_closed ON contacts (tenant, closed_at);
CREATE TABLE contact_tokens (
  tenant TEXT NOT NULL,
  token TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  PRIMARY KEY (tenant, token, contact_id)
) STRICT;
CREATE INDEX contact_tokens_contact ON contact_tokens (tenant, contact_id);
CREATE TABLE contact_traces (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX contact_traces_contact ON contact_traces (tenant, contact_id, seq);
CREATE TABLE flows (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  format TEXT NOT NULL,
  latest INTEGER NOT NULL,
  published INTEGER NOT NULL,
  problems INTEGER NOT NULL,
  unresolved INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, name_key)
) STRICT;
CREATE TABLE flow_versions (
  tenant TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  note TEXT NOT NULL,
  body BLOB NOT NULL,
  report TEXT NOT NULL,
  PRIMARY KEY (tenant, flow_id, version)
) STRICT;
CREATE TABLE flow_bindings (
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  ref TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (tenant, kind, ref)
) STRICT;
CREATE TABLE clips (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  body BLOB NOT NULL,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT;

-- +goose Down
DROP TABLE clips;
DROP TABLE flow_bindings;
DROP TABLE flow_versions;
DROP TABLE flows;
DROP TABLE contact_traces;
DROP TABLE contact_tokens;
DROP TABLE contacts;
DROP TABLE agent_states;
DROP TABLE objects;
