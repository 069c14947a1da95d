-- +goose Up
-- Where an agent's calls ring when that is not the browser; sealed.
CREATE TABLE stations (
  tenant TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (tenant, agent_id)
);

-- +goose Down
DROP TABLE stations;
