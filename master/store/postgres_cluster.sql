-- name: lock
SELECT pg_advisory_lock(%s, hashtext(current_schema()));

-- name: create
INSERT INTO cluster VALUES (1, %s, 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING;

-- name: take_over
UPDATE cluster SET generation = generation + 1 RETURNING generation, batch;

-- name: take_batch
UPDATE cluster SET batch = %(batch)s WHERE generation = %(generation)s AND batch = %(batch)s - 1;

-- name: read_generation
SELECT generation, batch FROM cluster;

-- name: add_job
INSERT INTO jobs (job_id, name, document, created_ms, updated_ms)
VALUES (%(job_id)s, %(name)s, %(document)s, %(created_ms)s, %(updated_ms)s);

-- name: save_job
UPDATE jobs SET name = %(name)s, document = %(document)s, updated_ms = %(updated_ms)s
WHERE job_id = %(job_id)s AND deleted_ms IS NULL AND updated_ms = %(replaces_ms)s;

-- name: delete_job
UPDATE jobs SET deleted_ms = %(deleted_ms)s, updated_ms = greatest(%(deleted_ms)s, updated_ms + 1)
WHERE job_id = %(job_id)s AND deleted_ms IS NULL;

-- name: delete_executions
UPDATE executions SET deleted_ms = %(deleted_ms)s, updated_ms = greatest(%(deleted_ms)s, updated_ms)
WHERE job_id = %(job_id)s;

-- name: deleted
SELECT deleted_ms IS NOT NULL AS deleted FROM jobs WHERE job_id = %(job_id)s;

-- name: add_execution
INSERT INTO executions (
  ex_id, job_id, name, status, reason, workers, paused, stopping, grace_ms, log_level, generation, secret, controller_pid,
  controller_start_time, controller_boot_id, controller_port, outcome, verdict, failure, has_errors, statistics, counts,
  operations, counted, placement, lineage, created_ms, updated_ms
) VALUES (
  %(ex_id)s, %(job_id)s, %(name)s, %(status)s, %(reason)s, %(workers)s, %(paused)s, %(stopping)s, %(grace_ms)s,
  %(log_level)s, %(generation)s, %(secret)s, %(controller_pid)s, %(controller_start_time)s, %(controller_boot_id)s,
  %(controller_port)s, %(outcome)s, %(verdict)s, %(failure)s, %(has_errors)s, %(statistics)s, %(counts)s,
  %(operations)s, %(counted)s, %(placement)s, %(lineage)s, %(created_ms)s, %(updated_ms)s
);

-- name: add_document
INSERT INTO execution_documents (ex_id, document) VALUES (%(ex_id)s, %(document)s);

-- name: save_execution
UPDATE executions SET
  status = %(status)s, reason = %(reason)s, workers = %(workers)s, paused = %(paused)s, stopping = %(stopping)s,
  grace_ms = %(grace_ms)s, log_level = %(log_level)s, generation = %(generation)s, secret = %(secret)s,
  controller_pid = %(controller_pid)s, controller_start_time = %(controller_start_time)s,
  controller_boot_id = %(controller_boot_id)s, controller_port = %(controller_port)s, outcome = %(outcome)s,
  verdict = %(verdict)s, failure = %(failure)s, has_errors = %(has_errors)s, statistics = %(statistics)s,
  counts = %(counts)s, operations = %(operations)s, counted = %(counted)s, placement = %(placement)s,
  updated_ms = %(updated_ms)s
WHERE ex_id = %(ex_id)s;

-- name: save_node
INSERT INTO nodes (node_id, incarnation, hostname, pid, slots, python_version, sliceworks_version, drained)
VALUES (
  %(node_id)s, %(incarnation)s, %(hostname)s, %(pid)s, %(slots)s, %(python_version)s, %(sliceworks_version)s, %(drained)s
)
ON CONFLICT (node_id) DO UPDATE SET incarnation = excluded.incarnation, hostname = excluded.hostname,
  pid = excluded.pid, slots = excluded.slots, python_version = excluded.python_version,
  sliceworks_version = excluded.sliceworks_version, drained = excluded.drained;

-- name: forget_node
DELETE FROM nodes WHERE node_id = %(node_id)s;

-- name: save_totals
UPDATE cluster SET
  processed = %(processed)s, failed = %(failed)s, job_duration = %(job_duration)s,
  workers_joined = %(workers_joined)s, workers_disconnected = %(workers_disconnected)s,
  workers_reconnected = %(workers_reconnected)s;

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
  %(asset_id)s, %(name)s, %(version)s, %(created_ms)s, %(description)s, %(python_version)s,
  %(platform)s, %(arch)s, %(document)s, %(operations)s, %(deleted_ms)s
)
ON CONFLICT (asset_id) DO UPDATE SET created_ms = excluded.created_ms, operations = excluded.operations,
  deleted_ms = excluded.deleted_ms;

-- name: forget_asset
DELETE FROM assets WHERE asset_id = %(asset_id)s;

-- name: load_assets
SELECT * FROM assets ORDER BY created_ms, asset_id;

-- name: load_cluster
SELECT * FROM cluster;

-- name: job
SELECT * FROM jobs WHERE job_id = %(job_id)s;

-- name: jobs
SELECT j.* FROM jobs j
WHERE (j.deleted_ms IS NOT NULL) = %(deleted)s AND (
  %(active)s::boolean IS NULL
  OR (j.deleted_ms IS NULL AND coalesce(j.document::json ->> 'active', '') <> 'false') = %(active)s::boolean
) AND {filter}
ORDER BY {order} LIMIT %(size)s OFFSET %(offset)s;

-- name: execution
SELECT e.*, d.document FROM executions e JOIN execution_documents d USING (ex_id) WHERE e.ex_id = %(ex_id)s;

-- name: executions
SELECT e.*, d.document FROM executions e JOIN execution_documents d USING (ex_id)
WHERE (e.deleted_ms IS NOT NULL) = %(deleted)s
  AND (%(statuses)s::text[] IS NULL OR e.status = ANY (%(statuses)s::text[])) AND {filter}
ORDER BY {order} LIMIT %(size)s OFFSET %(offset)s;

-- name: latest_executions
SELECT e.*, d.document FROM executions e JOIN execution_documents d USING (ex_id)
WHERE e.number IN (SELECT max(number) FROM executions WHERE job_id = ANY (%(job_ids)s::text[]) GROUP BY job_id);

-- name: executions_with_errors
SELECT ex_id FROM executions WHERE has_errors AND (%(job_id)s::text IS NULL OR job_id = %(job_id)s::text)
ORDER BY number;

-- name: lineage
SELECT e.ex_id FROM executions e
JOIN (
  SELECT job_id, CASE WHEN lineage = '' THEN ex_id ELSE lineage END AS first FROM executions WHERE ex_id = %(ex_id)s
) AS own ON e.job_id = own.job_id AND (e.ex_id = own.first OR e.lineage = own.first)
ORDER BY e.number;

-- name: credentials
SELECT generation, secret, status FROM executions WHERE ex_id = %(ex_id)s;
