-- +goose Up
-- What was recorded of contacts; the pieces are sealed under the recording's own key.
CREATE TABLE recordings (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  agent INTEGER NOT NULL,
  customer INTEGER NOT NULL,
  frames INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX recordings_contact ON recordings (tenant, contact_id, id);
CREATE TABLE recording_pieces (
  tenant TEXT NOT NULL,
  recording_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  frames INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, recording_id, seq)
) STRICT;

-- +goose Down
DROP TABLE recording_pieces;
DROP TABLE recordings;
