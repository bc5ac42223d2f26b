"""What all connections of this process share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from domain.kernel.ports import Clock, Engine
from realtime.authority import Authenticator
from realtime.bounds import LiveSettings
from realtime.fanout import FanOut
from realtime.metrics import LiveMetrics
from realtime.presence import PresenceBook
from realtime.receipts import Receipts
from realtime.registry import Registry
from realtime.sharing import Groups
from realtime.tails import Tails
from realtime.timing import Timers


@dataclass(slots=True)
class Node:
    """One process's part of the live layer. Made by the hub."""

    engine: Engine
    authenticator: Authenticator
    presence: PresenceBook
    tails: Tails
    groups: Groups
    fan_out: FanOut
    registry: Registry
    receipts: Receipts
    clock: Clock
    timers: Timers
    settings: LiveSettings
    metrics: LiveMetrics = field(default_factory=LiveMetrics)
    authority_gate: asyncio.Semaphore = field(init=False)
    mutations: set[asyncio.Task[Any]] = field(default_factory=set)
    """Mutations under way; they outlive their socket, since their commit may."""

    def __post_init__(self) -> None:
        self.authority_gate = asyncio.Semaphore(self.settings.authority_checks_max)
