"""The operations of one connection: queries and mutations run to an answer, subscriptions live."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import orjson

from domain.kernel.actor import Actor
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.streams import Json
from realtime.close_codes import INTERNAL_OP, UNAVAILABLE_OP, UNRECOVERABLE_OP, op_errors
from realtime.node import Node
from realtime.protocol import OpenOperation
from realtime.resume import BadPosition, read_positions
from realtime.seat import Seat
from realtime.subscription import Subscription

if TYPE_CHECKING:
    from realtime.connection import Connection

logger = logging.getLogger(__name__)


class Operations:
    """Runs what the protocol starts. A mutation once begun is never cancelled: it may commit."""

    __slots__ = ("_connection", "_mutations", "_node", "_subscriptions", "_tasks")

    def __init__(self, connection: Connection, node: Node) -> None:
        self._connection = connection
        self._node = node
        self._subscriptions: dict[OpenOperation, Subscription] = {}
        self._tasks: dict[OpenOperation, asyncio.Task[None]] = {}
        self._mutations: set[OpenOperation] = set()

    def __len__(self) -> int:
        """Operations under way, those nobody waits for any more included."""
        return len(self._subscriptions) + len(self._tasks)

    @property
    def following(self) -> int:
        """Subscriptions that run."""
        return len(self._subscriptions)

    def seats(self) -> Iterator[Seat]:
        """Where its subscriptions stand in their streams."""
        return chain.from_iterable(each.seats for each in self._subscriptions.values())

    @property
    def is_busy(self) -> bool:
        """Whether anything has yet to be answered."""
        return bool(self._tasks)

    def start(self, operation: OpenOperation, request: GraphQLRequest) -> None:
        """Run it; what comes of it is written to the connection."""
        task = asyncio.create_task(self._run(operation, request))
        self._tasks[operation] = task
        task.add_done_callback(lambda _: self._tasks.pop(operation, None))

    def stop(self, operation: OpenOperation) -> None:
        """Nobody waits for it any more."""
        subscription = self._subscriptions.pop(operation, None)
        if subscription is not None:
            subscription.end()
        task = self._tasks.get(operation)
        if task is not None and operation not in self._mutations:
            task.cancel()

    def forget(self, operation: OpenOperation) -> None:
        """It has ended by itself."""
        self._subscriptions.pop(operation, None)

    def distrust(self) -> None:
        """Every subscription stops delivering until it has been allowed anew."""
        for subscription in tuple(self._subscriptions.values()):
            subscription.distrust(renew=True)

    async def _run(self, operation: OpenOperation, request: GraphQLRequest) -> None:
        try:
            actor = await self._actor(operation)
            if actor is None:
                return
            kind = self._node.engine.kind(request, actor)
            if kind == "subscription":
                await self._subscribe(operation, request, actor)
            elif kind == "mutation":
                await self._mutate(operation, request, actor)
            else:
                await self._execute(operation, request, actor)
        except Exception as error:
            logger.error(
                "connection %s: an operation broke: %s", self._connection.id, type(error).__name__
            )
            self.stop(operation)
            self._connection.fail(operation, op_errors(INTERNAL_OP))

    async def _actor(self, operation: OpenOperation) -> Actor | None:
        """Who acts; None: the session has ended, or nobody can tell now whether it has."""
        try:
            return await self._connection.standing(renew=False)
        except Exception as error:
            logger.warning("connection %s: who acts? %s", self._connection.id, type(error).__name__)
            self._connection.fail(operation, op_errors(UNAVAILABLE_OP))
            return None

    async def _mutate(
        self, operation: OpenOperation, request: GraphQLRequest, actor: Actor
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._mutations.add(operation)
        self._node.mutations.add(task)
        try:
            await self._execute(operation, request, actor)
        finally:
            self._mutations.discard(operation)
            self._node.mutations.discard(task)

    async def _execute(
        self, operation: OpenOperation, request: GraphQLRequest, actor: Actor
    ) -> None:
        answer = await self._node.engine.execute(request, actor, self._connection.edge)
        if answer.is_request_error:
            self._connection.fail(operation, _errors_of(answer))
        elif self._connection.write_next(operation, answer.body):
            self._connection.complete(operation)

    async def _subscribe(
        self, operation: OpenOperation, request: GraphQLRequest, actor: Actor
    ) -> None:
        live = await self._node.engine.subscribe(request, actor)
        if isinstance(live, GraphQLAnswer):
            self._connection.fail(operation, _errors_of(live))
            return
        try:
            wanted = read_positions(request.extensions, live.after)
        except BadPosition:
            self._connection.fail(operation, op_errors(UNRECOVERABLE_OP))
            return
        # No await since the cancellation point above: a stopped operation never gets here.
        subscription = Subscription(operation, live, self._connection, self._node)
        self._subscriptions[operation] = subscription
        self._tasks.pop(operation, None)  # from here on it is the subscription's, to end with it
        await subscription.run(wanted)


def _errors_of(answer: GraphQLAnswer) -> list[Json]:
    errors: list[Json] = orjson.loads(answer.body)["errors"]
    return errors
