-- The log. No ORM model stands for these tables: they are written by one statement and read by another.
CREATE TABLE IF NOT EXISTS stream (
    id text PRIMARY KEY,
    epoch text NOT NULL,
    top bigint NOT NULL DEFAULT 0,
    floor bigint NOT NULL DEFAULT 0,
    authority_version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE stream IS 'Counter of one stream; its row lock orders writers up to their commit.';
CREATE TABLE IF NOT EXISTS event (
    stream_id text NOT NULL,
    "offset" bigint NOT NULL,
    kind text NOT NULL,
    is_authority boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (stream_id, "offset")
);
COMMENT ON TABLE event IS 'One fact in one stream; offsets are dense from 1 and in commit order.';
CREATE TABLE IF NOT EXISTS log_generation (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    generation text,
    timeline bigint,
    renewed_at timestamptz
);
COMMENT ON TABLE log_generation IS
    'One row at most. A part of every position: another one once events may have been lost.';
-- Streams as positions name them.
CREATE OR REPLACE VIEW stream_state AS
SELECT s.id, s.epoch || coalesce('.' || (SELECT generation FROM log_generation), '') AS epoch,
       s.top, s.floor, s.authority_version
  FROM stream AS s;

-- Append facts to their streams (domain/kernel/streams.py): [{kind, is_authority, body, at: [[stream,
-- how many more to the same stream come after it], …]}, …]. Streams are locked in sorted order; answers
-- where each stands now. The last thing a transaction does: the counters stay locked until its end.
CREATE OR REPLACE FUNCTION stream_append(facts jsonb, new_epoch text, happened_at timestamptz)
RETURNS TABLE (id text, epoch text, top bigint, authority_version bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH fact AS (
        SELECT a->>0 AS stream_id, (a->>1)::bigint AS behind, f.kind, f.is_authority, f.body
          FROM jsonb_to_recordset(facts) AS f(kind text, is_authority boolean, body jsonb, at jsonb)
         CROSS JOIN LATERAL jsonb_array_elements(f.at) AS a
    ), bump AS (
        INSERT INTO stream AS s (id, epoch, top, authority_version)
        SELECT stream_id, new_epoch, count(*), count(*) FILTER (WHERE is_authority)
          FROM fact GROUP BY stream_id ORDER BY stream_id
        ON CONFLICT (id) DO UPDATE SET top = s.top + EXCLUDED.top,
            authority_version = s.authority_version + EXCLUDED.authority_version
        RETURNING s.id, s.epoch, s.top, s.authority_version
    ), put AS (
        INSERT INTO event (stream_id, "offset", kind, is_authority, at, body)
        SELECT f.stream_id, b.top - f.behind, f.kind, f.is_authority, happened_at, f.body
          FROM fact f JOIN bump b ON b.id = f.stream_id
    )
    SELECT bump.id, bump.epoch || coalesce('.' || (SELECT generation FROM log_generation), ''),
           bump.top, bump.authority_version FROM bump;
END
$$;

-- The same for many works in one call (domain/kernel/joint.py), as if each came after the one before:
-- [{facts, at, …}, …], of each its first so many facts as ``kept`` says, and none of one with 0.
-- Answers where the streams of each work stood after it.
CREATE OR REPLACE FUNCTION stream_append_many(works jsonb, kept integer[], new_epoch text)
RETURNS TABLE (work bigint, id text, epoch text, top bigint, authority_version bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH fact AS (
        SELECT w.work, (w.given->>'at')::timestamptz AS happened_at, a->>0 AS stream_id,
               (a->>1)::bigint AS behind, f.kind, f.is_authority, f.body
          FROM jsonb_array_elements(works) WITH ORDINALITY AS w(given, work)
         CROSS JOIN LATERAL ROWS FROM (
               jsonb_to_recordset(w.given->'facts')
               AS (kind text, is_authority boolean, body jsonb, at jsonb)
         ) WITH ORDINALITY AS f(kind, is_authority, body, at, nth)
         CROSS JOIN LATERAL jsonb_array_elements(f.at) AS a
         WHERE f.nth <= kept[w.work]
    ), step AS (
        SELECT work, stream_id, count(*) AS facts, count(*) FILTER (WHERE is_authority) AS authority
          FROM fact GROUP BY work, stream_id
    ), bump AS (
        INSERT INTO stream AS s (id, epoch, top, authority_version)
        SELECT stream_id, new_epoch, sum(facts), sum(authority)
          FROM step GROUP BY stream_id ORDER BY stream_id
        ON CONFLICT (id) DO UPDATE SET top = s.top + EXCLUDED.top,
            authority_version = s.authority_version + EXCLUDED.authority_version
        RETURNING s.id, s.epoch, s.top, s.authority_version
    ), stood AS (
        SELECT t.work, b.id, b.epoch,
               b.top - (sum(t.facts) OVER later - t.facts)::bigint AS top,
               b.authority_version - (sum(t.authority) OVER later - t.authority)::bigint
                   AS authority_version
          FROM step t JOIN bump b ON b.id = t.stream_id
        WINDOW later AS (PARTITION BY t.stream_id ORDER BY t.work DESC)
    ), put AS (
        INSERT INTO event (stream_id, "offset", kind, is_authority, at, body)
        SELECT f.stream_id, s.top - f.behind, f.kind, f.is_authority, f.happened_at, f.body
          FROM fact f JOIN stood s ON s.work = f.work AND s.id = f.stream_id
    )
    SELECT s.work, s.id, s.epoch || coalesce('.' || (SELECT generation FROM log_generation), ''),
           s.top, s.authority_version FROM stood s;
END
$$;

-- Tell the policies who asks until the transaction ends: values in the order of SETTINGS
-- (domain/kernel/context.py). For functions that are a whole work by themselves.
CREATE OR REPLACE FUNCTION app_context(given jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.account', given->>0, true), set_config('app.member', given->>1, true),
            set_config('app.consultant', given->>2, true), set_config('app.territory', given->>3, true),
            set_config('app.line', given->>4, true), set_config('app.system', given->>5, true);
END
$$;
