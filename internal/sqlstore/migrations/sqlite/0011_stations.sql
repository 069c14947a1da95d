-- +goose Up
-- Where an agent's calls ring when that is not the browser; sealed.
CREATE TABLE stations (
  tenant TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, agent_id)
) STRICT;

-- +goose Down
DROP TABLE stations;
