"""What one operation knows: who asks, how to write, and its own data loaders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record
from domain.kernel.ports import NO_EDGE, Edge, Presence
from domain.kernel.work import Work, Works

BatchRead: TypeAlias = Callable[[Actor, Sequence[UUID]], Awaitable[Mapping[UUID, Record]]]
"""An access function of a slice: of these ids, the rows that the actor may see."""

BATCH_KEYS_MAX = 1_000
"""Ids of one batched read: one round trip stays a few milliseconds."""


@dataclass(slots=True)
class Context:
    """The context of one operation; never shared between operations or kept on a socket."""

    actor: Actor
    works: Works
    presence: Presence
    edge: Edge = NO_EDGE
    _loaders: dict[BatchRead, DataLoader[UUID, Record | None]] = field(default_factory=dict)
    _allowed: dict[Capability, None] = field(default_factory=dict)
    _present: dict[str, asyncio.Future[frozenset[str]]] = field(default_factory=dict)

    async def present(self, scope: str) -> frozenset[str]:
        """The accounts present in the scope, asked for once an operation."""
        asked = self._present.get(scope)
        if asked is None:
            asked = self._present[scope] = asyncio.ensure_future(self.presence.present(scope))
        return await asked

    def work(self) -> AbstractAsyncContextManager[Work]:
        """A unit of work of this operation's actor."""
        return self.works.open(self.actor)

    def ensure(self, needs: Capability) -> None:
        """Pass if the actor holds the capability anywhere. Raises Unauthenticated, Forbidden."""
        if needs not in self._allowed:
            self.actor.ensure_has(needs)
            self._allowed[needs] = None

    async def load(self, read: BatchRead, key: UUID) -> Record | None:
        """The row, in one batch with the other rows that this operation asks for."""
        loader = self._loaders.get(read)
        if loader is None:
            loader = DataLoader(load_fn=self._batch(read), max_batch_size=BATCH_KEYS_MAX)
            self._loaders[read] = loader
        return await loader.load(key)

    def _batch(
        self, read: BatchRead
    ) -> Callable[[list[UUID]], Awaitable[Sequence[Record | BaseException | None]]]:
        async def load_all(keys: list[UUID]) -> Sequence[Record | BaseException | None]:
            rows = await read(self.actor, keys)
            return [rows.get(key) for key in keys]

        return load_all


Info: TypeAlias = strawberry.Info[Context, Any]
