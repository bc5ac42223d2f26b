"""Execute once, fan out bytes: subscriptions that are alike form a group and share each answer.

Alike is who has the same share key; what goes into it, and that nothing is shared unless it is
declared, is the schema's part (``schema.sharing``). Here an event is rendered once a group; behind
each operation's id the bytes are the same. A subscription that shares nothing is a group of its
own, on the same path. Permission is never shared: each subscription asks for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from domain.kernel.ports import Live, SharePoisoned
from domain.kernel.streams import LoggedEvent
from realtime.answers import Answer
from realtime.bounds import POISONED_KEYS_MAX, RENDERED_BYTES_MAX, RENDERED_S_MAX
from realtime.metrics import LiveMetrics
from realtime.timing import Timers

if TYPE_CHECKING:
    from realtime.subscription import Subscription

logger = logging.getLogger(__name__)

Place: TypeAlias = tuple[bytes, str, str, int]
"""Share key, stream, epoch, offset: an event as one group sees it."""


class Group:
    """Subscriptions that get the same bytes. ``key`` None: one subscription, by itself."""

    __slots__ = ("_groups", "_render", "key", "members")

    def __init__(
        self,
        groups: Groups,
        key: bytes | None,
        render: Callable[[LoggedEvent], Awaitable[bytes | None]],
    ) -> None:
        self.key = key
        self.members: dict[Subscription, None] = {}
        self._groups = groups
        self._render = render

    async def answer(self, event: LoggedEvent) -> Answer | None:
        """The event as the group's answer; None: it is not for the group. Rendered once.

        Raises what rendering raises; SharePoisoned after the group has been taken apart.
        """
        if self.key is None or event.offset == 0:
            return await self._rendered(event)
        place = (self.key, event.stream, event.epoch, event.offset)
        return await self._groups.once(place, lambda: self._rendered(event))

    async def _rendered(self, event: LoggedEvent) -> Answer | None:
        self._groups.metrics.renders += 1
        try:
            body = await self._render(event)
        except SharePoisoned:
            self._groups.take_apart(self)
            raise
        return Answer(body, event) if body is not None else None


class Groups:
    """Every group of this node, and the answers of the last minute."""

    def __init__(self, metrics: LiveMetrics, timers: Timers) -> None:
        self.metrics = metrics
        self._timers = timers
        self._shared: dict[bytes, Group] = {}
        self._private = 0
        self._poisoned: dict[bytes, None] = {}
        self._rendered: OrderedDict[Place, tuple[float, Answer | None]] = OrderedDict()
        self._rendered_bytes = 0
        self._under_way: dict[Place, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._shared) + self._private

    def join(self, subscription: Subscription, live: Live) -> Group:
        """The group of those alike, or one of its own. Ask again after each ``authorise``."""
        key = live.share_key
        if key is None or key in self._poisoned:
            group = Group(self, None, live.render)
            self._private += 1
        else:
            group = self._shared.get(key) or Group(self, key, live.shared_rendering())
            self._shared[key] = group
        group.members[subscription] = None
        return group

    def leave(self, group: Group, subscription: Subscription) -> None:
        """It gets nothing of the group any more; harmless when it has left."""
        if group.members.pop(subscription, self) is self or group.members:
            return
        if group.key is None:
            self._private -= 1
        elif self._shared.get(group.key) is group:
            del self._shared[group.key]

    def take_apart(self, group: Group) -> None:
        """Its rendering touched a viewer: from now on each renders for itself."""
        assert group.key is not None, "a group of one has nothing to share"
        logger.error("a shared rendering touched a viewer: %d subscriptions", len(group.members))
        self.metrics.share_poison += 1
        while len(self._poisoned) >= POISONED_KEYS_MAX:
            self._poisoned.pop(next(iter(self._poisoned)))
        self._poisoned[group.key] = None
        for subscription in tuple(group.members):
            subscription.leave_group()

    async def once(
        self, place: Place, render: Callable[[], Awaitable[Answer | None]]
    ) -> Answer | None:
        """What was rendered for this place within the last minute, else what ``render`` makes."""
        while True:
            known = self._rendered.get(place)
            if known is not None:
                return known[1]
            waiting = self._under_way.get(place)
            if waiting is None:
                break
            await asyncio.shield(waiting)
        waiting = self._under_way[place] = asyncio.get_running_loop().create_future()
        try:
            answer = await render()
            self._keep(place, answer)
        except Exception as error:
            waiting.set_exception(error)
            waiting.exception()  # whoever waits gets it; nobody waiting is no reason to complain
            raise
        finally:
            del self._under_way[place]
            if not waiting.done():  # cancelled: one of those who wait renders
                waiting.set_result(None)
        return answer

    def forget_old(self) -> None:
        """Drop what is older than a minute: opened texts are not to lie about for long."""
        oldest = self._timers.time() - RENDERED_S_MAX
        while self._rendered and next(iter(self._rendered.values()))[0] <= oldest:
            self._drop_first()

    def _keep(self, place: Place, answer: Answer | None) -> None:
        self._rendered[place] = (self._timers.time(), answer)
        self._rendered_bytes += _size_of(answer)
        while self._rendered_bytes > RENDERED_BYTES_MAX:
            self._drop_first()

    def _drop_first(self) -> None:
        _, (_, answer) = self._rendered.popitem(last=False)
        self._rendered_bytes -= _size_of(answer)


def _size_of(answer: Answer | None) -> int:
    return answer.size_bytes if answer is not None else 500
