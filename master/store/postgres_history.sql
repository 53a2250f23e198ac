-- name: key
SELECT ex FROM execution_heads WHERE ex_id = %(ex_id)s;

-- name: head
SELECT * FROM execution_heads WHERE ex = %(ex)s;

-- name: operations
SELECT op, slices, time_us, records_in, records_out, memory_bytes FROM operation_totals WHERE ex = %(ex)s ORDER BY op;

-- name: slicers
SELECT count(*) AS number FROM slicers WHERE ex = %(ex)s;

-- name: nodes
SELECT node, node_id, hostname FROM execution_nodes WHERE ex = %(ex)s;

-- name: find
SELECT s.seq FROM slices s
WHERE s.ex = %(ex)s AND (%(state)s::smallint IS NULL OR s.state = %(state)s::smallint) AND s.seq >= %(floor)s AND {filter}
ORDER BY {order} LIMIT %(size)s OFFSET %(offset)s;

-- name: find_errors
SELECT s.seq FROM slices s WHERE s.ex = %(ex)s AND s.failed_ms IS NOT NULL AND {filter}
ORDER BY {order} LIMIT %(size)s OFFSET %(offset)s;

-- name: slices_listed
SELECT * FROM slices WHERE ex = %(ex)s AND seq = ANY (%(seqs)s::bigint[]);

-- name: attempts_listed
SELECT * FROM attempts WHERE ex = %(ex)s AND seq = ANY (%(seqs)s::bigint[]) ORDER BY seq, epoch;

-- name: recount
SELECT state, count(*) AS number FROM slices WHERE ex = %(ex)s GROUP BY state;

-- name: recount_slicers
SELECT slicer_id, max(slicer_order) AS newest FROM slices WHERE ex = %(ex)s AND slice_id IS NULL GROUP BY slicer_id;

-- name: slicer_positions
SELECT slicer_id, last_order FROM slicers WHERE ex = %(ex)s;

-- name: orphan_attempts
SELECT count(*) AS number FROM attempts a LEFT JOIN slices s ON s.ex = a.ex AND s.seq = a.seq
WHERE a.ex = %(ex)s AND (s.seq IS NULL OR a.epoch > s.epoch);

-- name: inherited_positions
SELECT slicer_id, last_order, last_request, checkpoint, finished FROM slicers WHERE ex = %(ex)s ORDER BY slicer_id;

-- name: inherited_keys
SELECT seq, slice_id, state, length(request) AS size FROM slices
WHERE ex = %(ex)s AND seq > %(after)s AND (state <> 2 OR slice_id IS NOT NULL) ORDER BY seq LIMIT %(limit)s;

-- name: inherited_slices
SELECT seq, slice_id, slicer_id, slicer_order, request FROM slices
WHERE ex = %(ex)s AND seq IN (SELECT value::bigint FROM json_array_elements_text(%(seqs)s::json)) ORDER BY seq;
