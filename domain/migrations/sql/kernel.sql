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
