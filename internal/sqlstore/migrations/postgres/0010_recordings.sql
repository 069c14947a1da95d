-- +goose Up
-- What was recorded of contacts; the pieces are sealed under the recording's own key.
CREATE TABLE recordings (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  agent BIGINT NOT NULL,
  customer BIGINT NOT NULL,
  frames BIGINT NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX recordings_contact ON recordings (tenant, contact_id, id);
CREATE TABLE recording_pieces (
  tenant TEXT NOT NULL,
  recording_id TEXT NOT NULL,
  seq BIGINT NOT NULL,
  frames BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (tenant, recording_id, seq)
);

-- +goose Down
DROP TABLE recording_pieces;
DROP TABLE recordings;
