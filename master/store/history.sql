-- name: head
SELECT * FROM execution;

-- name: operations
SELECT op, slices, time_us, records_in, records_out, memory_bytes FROM operation_totals ORDER BY op;

-- name: slicers
SELECT count(*) AS number FROM slicers;

-- name: nodes
SELECT node, node_id, hostname FROM nodes;

-- name: find
SELECT s.seq FROM slices s WHERE (:state IS NULL OR s.state = :state) AND s.seq >= :floor AND {filter}
ORDER BY {order} LIMIT :size OFFSET :offset;

-- name: find_errors
SELECT s.seq FROM slices s INDEXED BY slices_in_error WHERE s.state = 3 AND {filter}
ORDER BY {order} LIMIT :size OFFSET :offset;

-- name: slices_listed
SELECT * FROM slices WHERE seq IN (SELECT value FROM json_each(:seqs));

-- name: attempts_listed
SELECT * FROM attempts WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq, epoch;

-- name: recount
SELECT state, count(*) AS number FROM slices GROUP BY state;

-- name: recount_slicers
SELECT slicer_id, max(slicer_order) AS newest FROM slices WHERE slice_id IS NULL GROUP BY slicer_id;

-- name: slicer_positions
SELECT slicer_id, last_order FROM slicers;

-- name: orphan_attempts
SELECT count(*) AS number FROM attempts a LEFT JOIN slices s ON s.seq = a.seq WHERE s.seq IS NULL OR a.epoch > s.epoch;

-- name: inherited_positions
SELECT slicer_id, last_order, last_request, checkpoint, finished FROM slicers ORDER BY slicer_id;

-- name: inherited_keys
SELECT seq, slice_id, state, length(request) AS size FROM slices
WHERE seq > :after AND (state <> 2 OR slice_id IS NOT NULL) ORDER BY seq LIMIT :limit;

-- name: inherited_slices
SELECT seq, slice_id, slicer_id, slicer_order, request FROM slices
WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq;
