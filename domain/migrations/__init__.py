"""The database's history. ``sql/`` holds what no ORM model can say: policies, roles, the log.

Promises: one process migrates at a time (advisory lock), and the migrated schema equals the one
generated from the models plus these files (tested).
"""

from __future__ import annotations

from importlib import resources

SQL_FILES = (
    "kernel",
    "vault",
    "org",
    "audit",
    "access",
    "members",
    "consultations",
    "notices",
    "server_role",
)
"""In this order: a policy may name tables of a lower floor; the role's grants come last."""


def sql_text(name: str) -> str:
    """The text of one SQL file; empty when the slice needs none."""
    file = resources.files(__name__) / "sql" / f"{name}.sql"
    return file.read_text(encoding="utf-8") if file.is_file() else ""
