-- +goose Up
-- What a request with an Idempotency-Key was answered; answer is sealed, and empty while the request runs.
CREATE TABLE answers (
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  key_hash BYTEA NOT NULL,
  request_hash BYTEA NOT NULL,
  answer BYTEA NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant, principal, key_hash)
);
CREATE INDEX answers_at ON answers (at);

-- +goose Down
DROP TABLE answers;
