-- migration 1: jobs, executions, nodes, totals
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE executions (
  number INTEGER PRIMARY KEY,
  ex_id TEXT NOT NULL UNIQUE,
  job_id TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  workers INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  stopping INTEGER NOT NULL,
  grace_ms INTEGER NOT NULL,
  log_level TEXT NOT NULL,
  generation INTEGER NOT NULL,
  secret BLOB NOT NULL,
  controller_pid INTEGER NOT NULL,
  controller_start_time INTEGER NOT NULL,
  controller_boot_id TEXT NOT NULL,
  controller_port INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  verdict TEXT NOT NULL,
  failure TEXT NOT NULL,
  has_errors INTEGER NOT NULL,
  statistics TEXT NOT NULL,
  counts TEXT NOT NULL,
  operations TEXT NOT NULL,
  counted TEXT NOT NULL,
  placement TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;

-- One living execution per job.
CREATE UNIQUE INDEX executions_living ON executions (job_id)
  WHERE status NOT IN ('completed', 'stopped', 'rejected', 'failed', 'terminated');
CREATE INDEX executions_of_job ON executions (job_id, number);
CREATE INDEX executions_with_controller ON executions (number) WHERE controller_pid > 0;
CREATE INDEX executions_with_errors ON executions (number) WHERE has_errors = 1;
CREATE INDEX executions_by_update ON executions (updated_ms);

-- The document never changes, so that the row that does stays small.
CREATE TABLE execution_documents (
  ex_id TEXT PRIMARY KEY,
  document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
  node_id TEXT PRIMARY KEY,
  incarnation TEXT NOT NULL,
  hostname TEXT NOT NULL,
  pid INTEGER NOT NULL,
  slots INTEGER NOT NULL,
  python_version TEXT NOT NULL,
  sliceworks_version TEXT NOT NULL
) STRICT;

CREATE TABLE cluster (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  key BLOB NOT NULL,
  processed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  job_duration INTEGER NOT NULL,
  workers_joined INTEGER NOT NULL,
  workers_disconnected INTEGER NOT NULL,
  workers_reconnected INTEGER NOT NULL
) STRICT;
INSERT INTO cluster VALUES (1, randomblob(32), 0, 0, 0, 0, 0, 0);

-- migration 2: deletion of jobs, and of their executions with them; nodes that were taken out of service
ALTER TABLE jobs ADD COLUMN deleted_ms INTEGER;
ALTER TABLE executions ADD COLUMN deleted_ms INTEGER;
ALTER TABLE nodes ADD COLUMN drained INTEGER NOT NULL DEFAULT 0;

-- migration 3: the first execution of a lineage, in all that recovered it; '' in one that recovers nothing
ALTER TABLE executions ADD COLUMN lineage TEXT NOT NULL DEFAULT '';

-- migration 4: assets
CREATE TABLE assets (
  asset_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  description TEXT NOT NULL,
  python_version TEXT NOT NULL,
  platform TEXT NOT NULL,
  arch TEXT NOT NULL,
  document TEXT NOT NULL,
  operations TEXT NOT NULL,
  deleted_ms INTEGER
) STRICT, WITHOUT ROWID;
