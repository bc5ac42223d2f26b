"""What the database is told of who asks, as SQL: settings of a transaction that policies read."""

from __future__ import annotations

import re
from functools import lru_cache

import orjson

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability

SETTINGS = ("account", "member", "consultant", "territory", "line", "system")
"""What the policies read, as ``app.…``, in the order of ``context_of``."""
TEXTS_KEPT_MAX = 1_024
"""Reads whose composed text is remembered: four times what a connection keeps prepared."""
ACTORS_KEPT_MAX = 2_048
"""Contexts remembered, of who wrote last; about 1 KiB each with the actor they belong to."""
_made: dict[int, tuple[Actor, str]] = {}
_LITERAL = re.compile("[0-9a-z/,-]*")
"""Ids, paths and ``on``: nothing that could end a quoted literal."""


def context_of(actor: Actor) -> tuple[str, ...]:
    """The values of ``SETTINGS``."""
    scope = actor.scope(Capability.MEMBER_READ)
    return (
        str(actor.account_id or ""),
        str(actor.member_id or ""),
        str(actor.consultant_id or ""),
        ",".join(scope.territory),
        ",".join(scope.line),
        "on" if actor.is_system else "",
    )


def context_json(actor: Actor) -> str:
    """The same as JSON, for functions that set it themselves (``app_context``).

    Made once for an actor, who is the same object as long as nothing about them has changed.
    """
    kept = _made.get(id(actor))
    if kept is not None and kept[0] is actor:
        return kept[1]
    made = orjson.dumps(context_of(actor)).decode()
    if len(_made) >= ACTORS_KEPT_MAX:
        _made.clear()
    _made[id(actor)] = (actor, made)
    return made


def beginning(actor: Actor) -> str:
    """BEGIN with the context, as one simple query; what is empty need not be set."""
    begin = "BEGIN"
    for name, value in zip(SETTINGS, context_of(actor), strict=True):
        if value:
            if not _LITERAL.fullmatch(value):  # not an assert: it must hold under -O too
                raise ValueError("ids and paths only")
            begin += f";SET LOCAL app.{name}='{value}'"
    return begin


@lru_cache(maxsize=TEXTS_KEPT_MAX)
def reading(sql: str, args: int) -> str:
    """A SELECT of ``args`` values below the context that its policies ask for: one statement, with
    ``context_of`` as further values.

    The read's OFFSET names a column of the context: so the planner can neither pull the read up
    nor run it before the context is set, and if it could, a missing context would match no row.
    A subquery takes no statement that writes; a function that writes finds a read-only transaction.
    (A table partitioned by what its policy compares would be pruned before the context is there.)
    """
    given = ", ".join(
        f"set_config('app.{name}', ${args + n}, true)" for n, name in enumerate(SETTINGS, 1)
    )
    return (
        "WITH context AS MATERIALIZED (SELECT set_config('transaction_read_only', 'on', true),"
        f" {given}, 0::bigint AS none)"
        " SELECT r.* FROM context CROSS JOIN LATERAL"
        f" (SELECT q.* FROM (\n{sql}\n) q OFFSET context.none) r"
    )
