-- Where many rows are written at once, each column is one array.  The lateral subquery with OFFSET 0 makes the planner
-- look up each row by the primary key, whatever it believes of the table's size: a plan made while the table was
-- empty is kept, and a join the other way round reads the whole execution for each batch.

-- name: create
INSERT INTO execution_heads (ex_id, generation) VALUES (%s, 0) ON CONFLICT (ex_id) DO NOTHING;

-- name: take_over
UPDATE execution_heads SET generation = %(generation)s WHERE ex_id = %(ex_id)s AND generation < %(generation)s RETURNING ex;

-- name: read_generation
SELECT generation, batch FROM execution_heads WHERE ex = %(ex)s;

-- name: head
WITH own AS (
UPDATE execution_heads SET
  batch = %(batch)s, pending = %(pending)s, start = %(start)s, completed = %(completed)s, error = %(error)s,
  floor_seq = %(floor_seq)s, stale = %(stale)s, workers_joined = %(workers_joined)s,
  workers_reconnected = %(workers_reconnected)s, workers_disconnected = %(workers_disconnected)s,
  started_ms = %(started_ms)s, queuing_complete_ms = %(queuing_complete_ms)s, failure = %(failure)s,
  outcome = %(outcome)s, outcome_failure = %(outcome_failure)s, ended_ms = %(ended_ms)s,
  taken_up = %(taken_up)s, copied = %(copied)s
WHERE ex = %(ex)s AND generation = %(generation)s AND batch = %(batch)s - 1
RETURNING ex
) SELECT 1 / count(*) FROM own;

-- name: insert_slices
INSERT INTO slices (ex, seq, slicer_id, slicer_order, request, state, epoch, created_ms, updated_ms, node, started_ms)
SELECT %s, * FROM unnest(
  %s::bigint[], %s::int[], %s::bigint[], %s::bytea[], %s::smallint[], %s::int[], %s::bigint[], %s::bigint[], %s::int[],
  %s::bigint[]
);

-- name: insert_copies
INSERT INTO slices (
  ex, seq, slicer_id, slicer_order, request, state, epoch, created_ms, updated_ms, node, started_ms, slice_id
)
SELECT %s, * FROM unnest(
  %s::bigint[], %s::int[], %s::bigint[], %s::bytea[], %s::smallint[], %s::int[], %s::bigint[], %s::bigint[], %s::int[],
  %s::bigint[], %s::text[]
);

-- name: lease_first
UPDATE slices AS s SET state = 1, epoch = 1, node = r.node, started_ms = r.started_ms, updated_ms = r.updated_ms
FROM (SELECT %s::int AS ex) AS own
CROSS JOIN unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[]) AS r (node, started_ms, updated_ms, seq)
CROSS JOIN LATERAL (SELECT f.ctid AS place FROM slices AS f WHERE f.ex = own.ex AND f.seq = r.seq OFFSET 0) AS found
WHERE s.ctid = found.place;

-- name: lease_again
UPDATE slices AS s SET state = 1, epoch = r.epoch, updated_ms = r.updated_ms
FROM (SELECT %s::int AS ex) AS own
CROSS JOIN unnest(%s::int[], %s::bigint[], %s::bigint[]) AS r (epoch, updated_ms, seq)
CROSS JOIN LATERAL (SELECT f.ctid AS place FROM slices AS f WHERE f.ex = own.ex AND f.seq = r.seq OFFSET 0) AS found
WHERE s.ctid = found.place;

-- name: insert_attempts
INSERT INTO attempts (ex, seq, epoch, node, started_ms)
SELECT %s, * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::bigint[]);

-- name: complete_first
UPDATE slices AS s SET state = 2, worker = r.worker, started_ms = r.started_ms, run_us = r.run_us,
  updated_ms = r.updated_ms, kind = 0
FROM (SELECT %s::int AS ex) AS own
CROSS JOIN unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS r (worker, started_ms, run_us, updated_ms, seq)
CROSS JOIN LATERAL (SELECT f.ctid AS place FROM slices AS f WHERE f.ex = own.ex AND f.seq = r.seq OFFSET 0) AS found
WHERE s.ctid = found.place;

-- name: end_slices
UPDATE slices AS s SET state = r.state, updated_ms = r.updated_ms, op_errors = r.op_errors, losses = r.losses,
  reason = r.reason, failed_ms = CASE WHEN r.state = 3 THEN r.updated_ms END
FROM (SELECT %s::int AS ex) AS own
CROSS JOIN unnest(%s::smallint[], %s::bigint[], %s::int[], %s::int[], %s::text[], %s::bigint[])
  AS r (state, updated_ms, op_errors, losses, reason, seq)
CROSS JOIN LATERAL (SELECT f.ctid AS place FROM slices AS f WHERE f.ex = own.ex AND f.seq = r.seq OFFSET 0) AS found
WHERE s.ctid = found.place;

-- name: end_first_attempts
UPDATE slices AS s SET worker = r.worker, started_ms = r.started_ms, run_us = r.run_us, ended_ms = r.ended_ms,
  kind = r.kind, error = r.error, op = r.op, exit_code = r.exit_code, signal = r.signal, log_tail = r.log_tail
FROM (SELECT %s::int AS ex) AS own
CROSS JOIN unnest(
  %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::text[], %s::text[], %s::int[], %s::int[],
  %s::text[], %s::bigint[]
) AS r (worker, started_ms, run_us, ended_ms, kind, error, op, exit_code, signal, log_tail, seq)
CROSS JOIN LATERAL (SELECT f.ctid AS place FROM slices AS f WHERE f.ex = own.ex AND f.seq = r.seq OFFSET 0) AS found
WHERE s.ctid = found.place;

-- name: end_attempts
UPDATE attempts AS a SET worker = r.worker, started_ms = r.started_ms, run_us = r.run_us, ended_ms = r.ended_ms,
  kind = r.kind, error = r.error, op = r.op, exit_code = r.exit_code, signal = r.signal, log_tail = r.log_tail
FROM (SELECT %s::int AS ex) AS own
CROSS JOIN unnest(
  %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::text[], %s::text[], %s::int[], %s::int[],
  %s::text[], %s::bigint[], %s::int[]
) AS r (worker, started_ms, run_us, ended_ms, kind, error, op, exit_code, signal, log_tail, seq, epoch)
CROSS JOIN LATERAL (
  SELECT f.ctid AS place FROM attempts AS f WHERE f.ex = own.ex AND f.seq = r.seq AND f.epoch = r.epoch OFFSET 0
) AS found
WHERE a.ctid = found.place;

-- name: put_slicers
INSERT INTO slicers (ex, slicer_id, last_order, last_request, checkpoint, finished)
VALUES (%s, %s, %s, %s::bytea, %s::bytea, %s::int)
ON CONFLICT (ex, slicer_id) DO UPDATE SET last_order = excluded.last_order, last_request = excluded.last_request,
  checkpoint = excluded.checkpoint, finished = excluded.finished;

-- name: put_nodes
INSERT INTO execution_nodes (ex, node, node_id, incarnation, hostname) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING;

-- name: put_operation_totals
INSERT INTO operation_totals (ex, op, slices, time_us, records_in, records_out, memory_bytes)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (ex, op) DO UPDATE SET slices = excluded.slices, time_us = excluded.time_us,
  records_in = excluded.records_in, records_out = excluded.records_out, memory_bytes = excluded.memory_bytes;

-- name: read_execution
SELECT * FROM execution_heads WHERE ex = %(ex)s;

-- name: read_slicers
SELECT slicer_id, last_order, last_request, checkpoint, finished <> 0 AS finished FROM slicers WHERE ex = %(ex)s
ORDER BY slicer_id;

-- name: read_nodes
SELECT node, node_id, incarnation, hostname FROM execution_nodes WHERE ex = %(ex)s ORDER BY node;

-- name: read_operation_totals
SELECT op, slices, time_us, records_in, records_out, memory_bytes FROM operation_totals WHERE ex = %(ex)s ORDER BY op;

-- name: read_last_seq
SELECT coalesce(max(seq), 0) AS seq FROM slices WHERE ex = %(ex)s;

-- name: read_slice_id
SELECT slice_id FROM slices WHERE ex = %(ex)s AND seq = %(seq)s;

-- name: read_leases
SELECT s.seq, s.slice_id, s.slicer_id, s.slicer_order, s.request, s.epoch, s.op_errors, s.losses,
  coalesce(a.node, s.node) AS node
FROM slices s LEFT JOIN attempts a ON a.ex = s.ex AND a.seq = s.seq AND a.epoch = s.epoch
WHERE s.ex = %(ex)s AND s.seq >= %(floor_seq)s AND s.state = 1 ORDER BY s.seq;

-- name: read_pending
SELECT seq, slice_id, slicer_id, slicer_order, request, epoch, op_errors, losses FROM slices
WHERE ex = %(ex)s AND seq > %(after_seq)s AND state = 0 ORDER BY seq LIMIT %(limit)s;
