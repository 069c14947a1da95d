-- +goose Up
-- record_key is a second line a job stands in; progress is what its handler keeps of a run, as JSON without personal data.
ALTER TABLE jobs ADD COLUMN record_key TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN progress TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_record ON jobs (tenant, record_key, seq) WHERE record_key <> '' AND state IN ('available', 'scheduled', 'retryable', 'running');

-- +goose Down
DROP INDEX jobs_record;
ALTER TABLE jobs DROP COLUMN progress;
ALTER TABLE jobs DROP COLUMN record_key;
