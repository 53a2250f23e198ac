-- name: create
INSERT OR IGNORE INTO execution (id, ex_id, generation) VALUES (1, ?, 0);

-- name: take_over
UPDATE execution SET generation = :generation WHERE generation < :generation;

-- name: read_generation
SELECT generation, batch FROM execution;

-- name: head
UPDATE execution SET
  batch = :batch, pending = :pending, start = :start, completed = :completed, error = :error, floor_seq = :floor_seq,
  stale = :stale, workers_joined = :workers_joined, workers_reconnected = :workers_reconnected,
  workers_disconnected = :workers_disconnected, started_ms = :started_ms, queuing_complete_ms = :queuing_complete_ms,
  failure = :failure, outcome = :outcome, outcome_failure = :outcome_failure, ended_ms = :ended_ms,
  taken_up = :taken_up, copied = :copied
WHERE generation = :generation AND batch = :batch - 1;

-- name: insert_slices
INSERT INTO slices (seq, slicer_id, slicer_order, request, state, epoch, created_ms, updated_ms, node, started_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_copies
INSERT INTO slices (
  seq, slicer_id, slicer_order, request, state, epoch, created_ms, updated_ms, node, started_ms, slice_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: lease_first
UPDATE slices SET state = 1, epoch = 1, node = ?, started_ms = ?, updated_ms = ? WHERE seq BETWEEN ? AND ?;

-- name: lease_again
UPDATE slices SET state = 1, epoch = ?, updated_ms = ? WHERE seq = ?;

-- name: insert_attempts
INSERT INTO attempts (seq, epoch, node, started_ms) VALUES (?, ?, ?, ?);

-- name: complete_first
UPDATE slices SET state = 2, worker = ?, started_ms = ?, run_us = ?, updated_ms = ?, kind = 0 WHERE seq = ?;

-- name: end_slices
UPDATE slices SET state = ?, updated_ms = ?, op_errors = ?, losses = ?, reason = ? WHERE seq = ?;

-- name: end_first_attempts
UPDATE slices SET worker = ?, started_ms = ?, run_us = ?, ended_ms = ?, kind = ?, error = ?, op = ?, exit_code = ?, signal = ?,
  log_tail = ? WHERE seq = ?;

-- name: end_attempts
UPDATE attempts SET worker = ?, started_ms = ?, run_us = ?, ended_ms = ?, kind = ?, error = ?, op = ?, exit_code = ?, signal = ?,
  log_tail = ? WHERE seq = ? AND epoch = ?;

-- name: put_slicers
INSERT INTO slicers (slicer_id, last_order, last_request, checkpoint, finished) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (slicer_id) DO UPDATE SET last_order = excluded.last_order, last_request = excluded.last_request,
  checkpoint = excluded.checkpoint, finished = excluded.finished;

-- name: put_nodes
INSERT OR IGNORE INTO nodes (node, node_id, incarnation, hostname) VALUES (?, ?, ?, ?);

-- name: put_operation_totals
INSERT INTO operation_totals (op, slices, time_us, records_in, records_out, memory_bytes) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (op) DO UPDATE SET slices = excluded.slices, time_us = excluded.time_us, records_in = excluded.records_in,
  records_out = excluded.records_out, memory_bytes = excluded.memory_bytes;

-- name: read_execution
SELECT * FROM execution;

-- name: read_slicers
SELECT slicer_id, last_order, last_request, checkpoint, finished FROM slicers ORDER BY slicer_id;

-- name: read_nodes
SELECT node, node_id, incarnation, hostname FROM nodes ORDER BY node;

-- name: read_operation_totals
SELECT op, slices, time_us, records_in, records_out, memory_bytes FROM operation_totals ORDER BY op;

-- name: read_last_seq
SELECT coalesce(max(seq), 0) FROM slices;

-- name: read_slice_id
SELECT slice_id FROM slices WHERE seq = ?;

-- name: read_leases
SELECT s.seq, s.slice_id, s.slicer_id, s.slicer_order, s.request, s.epoch, s.op_errors, s.losses, coalesce(a.node, s.node)
FROM slices s LEFT JOIN attempts a ON a.seq = s.seq AND a.epoch = s.epoch
WHERE s.seq >= ? AND s.state = 1 ORDER BY s.seq;

-- name: read_pending
SELECT seq, slice_id, slicer_id, slicer_order, request, epoch, op_errors, losses FROM slices
WHERE seq > ? AND state = 0 ORDER BY seq LIMIT ?;
