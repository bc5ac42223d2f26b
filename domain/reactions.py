"""What follows from what (联动): the one table where features meet.

``REACTIONS`` run inside the transaction that recorded the fact: all or nothing. ``JOBS`` run later
in the worker, at least once, and are idempotent. A feature never imports another: whatever one
must do because of another stands here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from domain.kernel.work import Reactions, Works

JobHandler: TypeAlias = Callable[[Works, Mapping[str, Any]], Awaitable[None]]

REACTIONS: Reactions = {}

JOBS: Mapping[str, JobHandler] = {}
