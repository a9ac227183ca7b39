-- The store of the embedded collector.  Spans are not rows: what came in is kept as compressed
-- OTLP in `blocks`, and only traces, sagas, services and operations are indexed.
-- Times are nanoseconds since the Unix epoch.  traces.id and log_blocks.id grow in order of
-- arrival, so that retention is a deletion of everything up to one id.

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE services (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE operations (
    id INTEGER PRIMARY KEY, service INTEGER NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,
    UNIQUE (service, name, kind)
);

-- About generations see `generations`.  A saga has always one row; a trace has several if it lasts
-- so long that its first row is forgotten (`trace_rows`).
CREATE TABLE traces (
    id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, trace_id BLOB NOT NULL,
    started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
    spans INTEGER NOT NULL, errors INTEGER NOT NULL
);
CREATE INDEX traces_by_trace_id ON traces (generation, trace_id);

CREATE TABLE blocks (
    id INTEGER PRIMARY KEY, last_trace INTEGER NOT NULL,
    first_start INTEGER NOT NULL, last_start INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX blocks_by_last_trace ON blocks (last_trace);
CREATE TABLE trace_blocks (
    trace INTEGER, service INTEGER, block INTEGER, PRIMARY KEY (trace, service, block)
) WITHOUT ROWID;
-- What a search begins with: a block has few services and operations, and many traces.
CREATE TABLE block_services (service INTEGER, block INTEGER, PRIMARY KEY (service, block)) WITHOUT ROWID;
CREATE INDEX block_services_by_block ON block_services (block);
CREATE TABLE block_operations (operation INTEGER, block INTEGER, PRIMARY KEY (operation, block)) WITHOUT ROWID;
CREATE INDEX block_operations_by_block ON block_operations (block);

CREATE TABLE sagas (
    id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, saga_id TEXT NOT NULL, name TEXT NOT NULL,
    started_at INTEGER NOT NULL, active_at INTEGER NOT NULL,
    outcome TEXT, outcome_at INTEGER NOT NULL, compensating INTEGER NOT NULL,
    retries INTEGER NOT NULL
);
CREATE INDEX sagas_by_saga_id ON sagas (generation, saga_id);
CREATE INDEX sagas_by_start ON sagas (started_at, id);
CREATE TABLE saga_traces (saga INTEGER, trace INTEGER, PRIMARY KEY (saga, trace)) WITHOUT ROWID;
CREATE INDEX saga_traces_by_trace ON saga_traces (trace);
-- One row for each step seen, by its span; ended_at is null until that span arrives.
CREATE TABLE saga_steps (
    saga INTEGER, span_id BLOB, step TEXT NOT NULL, kind TEXT NOT NULL, compensates TEXT NOT NULL,
    started_at INTEGER NOT NULL, ended_at INTEGER, failed INTEGER NOT NULL,
    PRIMARY KEY (saga, span_id, step)
) WITHOUT ROWID;

CREATE TABLE log_blocks (id INTEGER PRIMARY KEY, records INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE trace_logs (trace_id BLOB, block INTEGER, PRIMARY KEY (trace_id, block)) WITHOUT ROWID;
CREATE INDEX trace_logs_by_block ON trace_logs (block);
CREATE TABLE saga_logs (saga INTEGER, block INTEGER, PRIMARY KEY (saga, block)) WITHOUT ROWID;
CREATE INDEX saga_logs_by_block ON saga_logs (block);

CREATE TABLE series (key TEXT PRIMARY KEY, updated_at INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
