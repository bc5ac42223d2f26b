"""What the peers share: their tables and rows, and how they are reached and served."""

from __future__ import annotations

import os
from typing import Any

import asyncpg
import uvicorn
from starlette.types import ASGIApp

from domain.kernel.database import tortoise_config

POOL = 10
"""Connections to PostgreSQL of each peer: as many as our own server's default."""
SEALED_TEXT = "（封存的字）"
"""What peers answer where ours opens a sealed text: as many characters as were sealed."""

TABLES_SQL = """
CREATE TABLE peer_union (id int PRIMARY KEY, name varchar(100) NOT NULL);
CREATE TABLE peer_member (
    id int PRIMARY KEY, name varchar(100) NOT NULL, union_id int NOT NULL REFERENCES peer_union
);
CREATE INDEX ON peer_member (union_id);
CREATE TABLE peer_message (
    id bigserial PRIMARY KEY, conversation int NOT NULL, sender int NOT NULL, body text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON peer_message (conversation, id);
CREATE TABLE peer_notice (id bigserial PRIMARY KEY, title text NOT NULL);
CREATE TABLE peer_recipient (
    id bigserial PRIMARY KEY, notice_id bigint NOT NULL REFERENCES peer_notice,
    union_id int NOT NULL
);
CREATE INDEX ON peer_recipient (notice_id, union_id);
CREATE TABLE peer_receipt (
    id bigserial PRIMARY KEY, notice_id bigint NOT NULL REFERENCES peer_notice,
    union_id int NOT NULL, officer int NOT NULL, at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ON peer_receipt (notice_id, union_id, officer);
"""
ROWS_SQL = (
    "INSERT INTO peer_union SELECT i, 'Local union ' || i FROM generate_series(1, $1::int) i",
    # A prime step: one page of members meets as many unions as it has rows.
    "INSERT INTO peer_member SELECT i, 'Member number ' || i, 1 + (i::bigint * 7919) % $1::int"
    " FROM generate_series(1, $2::int) i",
)


async def lay_ground(url: str, *, unions: int, members: int) -> None:
    """Tables and rows for the peers."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(TABLES_SQL)
        await connection.execute(ROWS_SQL[0], unions)
        await connection.execute(ROWS_SQL[1], unions, members)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


def database_url() -> str:
    """Where this peer's rows are."""
    return os.environ["PEER_DATABASE_URL"]


def is_caching() -> bool:
    """Whether this peer uses its library's parser and validation caches."""
    return os.environ.get("PEER_CACHES") == "on"


def orm_config(module: str) -> dict[str, Any]:
    """Tortoise for the models of one peer module."""
    ours = tortoise_config(database_url(), role=None)["connections"]["default"]
    credentials = ours["credentials"] | {"minsize": POOL, "maxsize": POOL, "server_settings": {}}
    return {
        "connections": {"default": ours | {"credentials": credentials}},
        "apps": {"peers": {"models": [module], "default_connection": "default"}},
        "use_tz": True,
    }


def serve(app: ASGIApp) -> None:
    """On uvicorn as one tunes it: uvloop, httptools, no access log, one process."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        backlog=4096,
        log_level="warning",
        access_log=False,
    )
