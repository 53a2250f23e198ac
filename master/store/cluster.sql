-- name: add_job
INSERT INTO jobs (job_id, name, document, created_ms, updated_ms)
VALUES (:job_id, :name, :document, :created_ms, :updated_ms);

-- name: save_job
UPDATE jobs SET name = :name, document = :document, updated_ms = :updated_ms
WHERE job_id = :job_id AND deleted_ms IS NULL AND updated_ms = :replaces_ms;

-- name: delete_job
UPDATE jobs SET deleted_ms = :deleted_ms, updated_ms = max(:deleted_ms, updated_ms + 1)
WHERE job_id = :job_id AND deleted_ms IS NULL;

-- name: delete_executions
UPDATE executions SET deleted_ms = :deleted_ms, updated_ms = max(:deleted_ms, updated_ms) WHERE job_id = :job_id;

-- name: deleted
SELECT deleted_ms IS NOT NULL AS deleted FROM jobs WHERE job_id = :job_id;

-- name: add_execution
INSERT INTO executions (
  ex_id, job_id, name, status, reason, workers, paused, stopping, grace_ms, log_level, generation, secret, controller_pid,
  controller_start_time, controller_boot_id, controller_port, outcome, verdict, failure, has_errors, statistics, counts,
  operations, counted, placement, lineage, created_ms, updated_ms
) VALUES (
  :ex_id, :job_id, :name, :status, :reason, :workers, :paused, :stopping, :grace_ms, :log_level, :generation, :secret,
  :controller_pid, :controller_start_time, :controller_boot_id, :controller_port, :outcome, :verdict, :failure,
  :has_errors, :statistics, :counts, :operations, :counted, :placement, :lineage, :created_ms, :updated_ms
);

-- name: add_document
INSERT INTO execution_documents (ex_id, document) VALUES (:ex_id, :document);

-- name: save_execution
UPDATE executions SET
  status = :status, reason = :reason, workers = :workers, paused = :paused, stopping = :stopping, grace_ms = :grace_ms,
  log_level = :log_level, generation = :generation, secret = :secret, controller_pid = :controller_pid,
  controller_start_time = :controller_start_time, controller_boot_id = :controller_boot_id,
  controller_port = :controller_port, outcome = :outcome, verdict = :verdict, failure = :failure,
  has_errors = :has_errors, statistics = :statistics, counts = :counts, operations = :operations, counted = :counted,
  placement = :placement, updated_ms = :updated_ms
WHERE ex_id = :ex_id;

-- name: save_node
INSERT OR REPLACE INTO nodes (node_id, incarnation, hostname, pid, slots, python_version, sliceworks_version, drained)
VALUES (:node_id, :incarnation, :hostname, :pid, :slots, :python_version, :sliceworks_version, :drained);

-- name: forget_node
DELETE FROM nodes WHERE node_id = :node_id;

-- name: save_totals
UPDATE cluster SET
  processed = :processed, failed = :failed, job_duration = :job_duration, workers_joined = :workers_joined,
  workers_disconnected = :workers_disconnected, workers_reconnected = :workers_reconnected;

-- name: load_executions
SELECT e.*, d.document FROM executions e JOIN execution_documents d USING (ex_id)
WHERE e.status NOT IN ('completed', 'stopped', 'rejected', 'failed', 'terminated') OR e.controller_pid > 0
ORDER BY e.number;

-- name: load_nodes
SELECT * FROM nodes ORDER BY node_id;

-- name: save_asset
INSERT INTO assets (
  asset_id, name, version, created_ms, description, python_version, platform, arch, document, operations, deleted_ms
) VALUES (
  :asset_id, :name, :version, :created_ms, :description, :python_version,
  :platform, :arch, :document, :operations, :deleted_ms
)
ON CONFLICT (asset_id) DO UPDATE SET created_ms = excluded.created_ms, operations = excluded.operations,
  deleted_ms = excluded.deleted_ms;

-- name: forget_asset
DELETE FROM assets WHERE asset_id = :asset_id;

-- name: load_assets
SELECT * FROM assets ORDER BY created_ms, asset_id;

-- name: load_cluster
SELECT * FROM cluster;

-- name: job
SELECT * FROM jobs WHERE job_id = ?;

-- name: jobs
SELECT j.* FROM jobs j
WHERE (j.deleted_ms IS NOT NULL) = :deleted
  AND (:active IS NULL OR (j.deleted_ms IS NULL AND json_extract(j.document, '$.active') IS NOT 0) = :active) AND {filter}
ORDER BY {order} LIMIT :size OFFSET :offset;

-- name: execution
SELECT e.*, d.document FROM executions e JOIN execution_documents d USING (ex_id) WHERE e.ex_id = ?;

-- name: executions
SELECT e.*, d.document FROM executions e JOIN execution_documents d USING (ex_id)
WHERE (e.deleted_ms IS NOT NULL) = :deleted
  AND (:statuses IS NULL OR e.status IN (SELECT value FROM json_each(:statuses))) AND {filter}
ORDER BY {order} LIMIT :size OFFSET :offset;

-- name: latest_executions
SELECT e.*, d.document FROM executions e JOIN execution_documents d USING (ex_id)
WHERE e.number IN (
  SELECT (SELECT max(number) FROM executions WHERE job_id = wanted.value) FROM json_each(?) AS wanted
);

-- name: executions_with_errors
SELECT ex_id FROM executions WHERE has_errors = 1 AND (:job_id IS NULL OR job_id = :job_id) ORDER BY number;

-- name: lineage
SELECT e.ex_id FROM executions e
JOIN (
  SELECT job_id, CASE WHEN lineage = '' THEN ex_id ELSE lineage END AS first FROM executions WHERE ex_id = :ex_id
) AS own ON e.job_id = own.job_id AND (e.ex_id = own.first OR e.lineage = own.first)
ORDER BY e.number;

-- name: credentials
SELECT generation, secret, status FROM executions WHERE ex_id = ?;
