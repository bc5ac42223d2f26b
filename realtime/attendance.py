"""Whether somebody is there, in a client's own words: of a socket, or of one operation.

A client that comes back or reads anew by itself says ``rt.attended: false``, and what it does then
is no use of the session: a screen that was left alone becomes idle however often it reconnects.
Who says nothing is there, so that no session ends early for a client that does not know of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BadAttendance(Exception):
    """Neither true nor false: not taken for one of them, since idle times depend on it."""


def is_nobody_there(said: Mapping[str, Any]) -> bool:
    """Whether a ``connection_init`` payload, or an operation's extensions, say so.

    Raises BadAttendance.
    """
    rt = said.get("rt")
    attended = rt.get("attended") if isinstance(rt, dict) else None
    if not isinstance(attended, bool | None):
        raise BadAttendance
    return attended is False
