-- migration 1: one execution, its slices and their attempts
-- The one row of `execution` is written first in every transaction: it fences out older generations, numbers the batch,
-- and holds the counters as of that batch.
CREATE TABLE execution (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ex_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  batch INTEGER NOT NULL DEFAULT 0,
  pending INTEGER NOT NULL DEFAULT 0,
  start INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  error INTEGER NOT NULL DEFAULT 0,
  floor_seq INTEGER NOT NULL DEFAULT 1,
  stale INTEGER NOT NULL DEFAULT 0,
  workers_joined INTEGER NOT NULL DEFAULT 0,
  workers_reconnected INTEGER NOT NULL DEFAULT 0,
  workers_disconnected INTEGER NOT NULL DEFAULT 0,
  started_ms INTEGER,
  queuing_complete_ms INTEGER,
  failure TEXT NOT NULL DEFAULT '',
  outcome TEXT,
  outcome_failure TEXT,
  ended_ms INTEGER
) STRICT;

-- A slice, and the first attempt at it (node, worker, started_ms, run_us, kind ...: of attempt 1 only).
CREATE TABLE slices (
  seq INTEGER PRIMARY KEY,
  slice_id TEXT,
  slicer_id INTEGER NOT NULL,
  slicer_order INTEGER NOT NULL,
  request BLOB NOT NULL,
  state INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  node INTEGER,
  worker INTEGER,
  started_ms INTEGER,
  run_us INTEGER,
  ended_ms INTEGER,
  kind INTEGER,
  error TEXT,
  op TEXT,
  exit_code INTEGER,
  signal INTEGER,
  log_tail TEXT,
  op_errors INTEGER NOT NULL DEFAULT 0,
  losses INTEGER NOT NULL DEFAULT 0,
  reason TEXT,
  key TEXT,
  not_before INTEGER,
  priority INTEGER
) STRICT;

CREATE INDEX slices_in_error ON slices (updated_ms) WHERE state = 3;

-- Attempts from the second on; the row's epoch is the attempt's number.
CREATE TABLE attempts (
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  node INTEGER,
  worker INTEGER,
  started_ms INTEGER,
  run_us INTEGER,
  ended_ms INTEGER,
  kind INTEGER,
  error TEXT,
  op TEXT,
  exit_code INTEGER,
  signal INTEGER,
  log_tail TEXT,
  PRIMARY KEY (seq, epoch)
) STRICT, WITHOUT ROWID;

-- Where each slicer stands; written in the transaction of the slices it made.
CREATE TABLE slicers (
  slicer_id INTEGER PRIMARY KEY,
  last_order INTEGER NOT NULL,
  last_request BLOB,
  checkpoint BLOB,
  finished INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Incarnations of worker daemons that held a lease here.
CREATE TABLE nodes (
  node INTEGER PRIMARY KEY,
  node_id TEXT NOT NULL,
  incarnation TEXT NOT NULL,
  hostname TEXT NOT NULL,
  UNIQUE (node_id, incarnation)
) STRICT;

CREATE TABLE operation_totals (
  op INTEGER PRIMARY KEY,
  slices INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  records_in INTEGER NOT NULL,
  records_out INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL
) STRICT;

-- migration 2: recovery. `copied` slices, those with the lowest seqs, were copied from the lineage; `taken_up`: which kinds of
-- slices were, completely (1: in error, 2: unfinished; 0: none yet). Where slicers stand was then inherited as well.
ALTER TABLE execution ADD COLUMN taken_up INTEGER NOT NULL DEFAULT 0;
ALTER TABLE execution ADD COLUMN copied INTEGER NOT NULL DEFAULT 0;
