"""One serving process: a bound port, a furnished house, uvicorn between them, an orderly end.

Promises: nothing is accepted before every part is ready; SIGTERM and SIGINT end it in order within
the grace period; a port in use is said before anything else is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp

from gateway.app import build_app
from gateway.lane import UVICORN_OPTIONS
from gateway.settings import Settings
from gateway.wire import BoundedHttp
from gateway.wiring import House, furnished
from gateway.working import work
from realtime.drain import DrainTimes

T = TypeVar("T")

KEEP_ALIVE_S = 30
"""Browsers and balancers reuse a connection within this time."""
GC_THRESHOLDS = (50_000, 20, 50)
"""Collecting cyclic garbage makes up half of a fan-out's worst case at the default of 700."""
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


NOTICE_SHARE, SPREAD_SHARE, FINISH_SHARE = 0.1, 0.4, 0.3
"""Of the grace: for clients that know us to open their new socket elsewhere first; over which
everybody else is closed; for operations that still run. What is left is for requests over HTTP."""
LAST_RESORT_S = 10.0
"""After the grace, parts are taken down; a process that still hangs then is ended hard."""


class PortInUse(Exception):
    """Somebody else listens at the address; the message says what to do."""


def bind(settings: Settings) -> socket.socket:
    """The listening port. Raises PortInUse."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as why:
        listener.close()
        raise PortInUse(
            f"Cannot listen at {settings.host}:{settings.port} ({why.strerror}). "
            f"Choose another port, for instance PORT={settings.port % 60_000 + 1}."
        ) from None
    listener.set_inheritable(True)
    return listener


def log_to_stderr(settings: Settings) -> None:
    """One line an event: ids and codes, never content."""
    logging.basicConfig(level=settings.log_level.upper(), format=LOG_FORMAT)
    for chatty in ("uvicorn.error", "websockets", "asyncio", "pgqueuer", "tortoise"):
        logging.getLogger(chatty).setLevel("DEBUG" if settings.is_debug else "WARNING")


def run(main: Coroutine[Any, Any, T], *, is_debug: bool = False) -> T:
    """Run on uvloop where it is installed, else on asyncio's own loop."""
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        make_loop = uvloop.new_event_loop
    with asyncio.Runner(debug=is_debug, loop_factory=make_loop) as runner:
        return runner.run(main)


async def serve(
    settings: Settings,
    database_url: str,
    listener: socket.socket,
    *,
    with_worker: bool = False,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal comes; everything is taken down in order when this returns."""
    async with furnished(settings, database_url) as house:
        server = _Server(configured(build_app(house), settings), house, on_ready)
        working = asyncio.create_task(work(house.works, database_url)) if with_worker else None
        try:
            await server.serve(sockets=[listener])
        finally:
            if working is not None:
                working.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await working


async def work_only(settings: Settings, database_url: str) -> None:
    """Run jobs until a signal comes; what was not begun stays queued."""
    async with furnished(settings, database_url) as house:
        working = asyncio.create_task(work(house.works, database_url))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, working.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await working


def configured(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How uvicorn is to serve ``app``: our HTTP, the lane, the operator's bounds."""
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=settings.backlog,
        timeout_keep_alive=KEEP_ALIVE_S,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        **UVICORN_OPTIONS,
    )


def end_hard_after(seconds: float) -> None:
    """End this process by then: a database that never answers must not keep it for ever."""

    def end() -> None:
        logging.getLogger(__name__).error("did not end within %d s: ended hard", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


class _Server(uvicorn.Server):
    """uvicorn's server, ended by signals without being killed by them afterwards."""

    def __init__(
        self, config: uvicorn.Config, house: House, on_ready: Callable[[], None] | None
    ) -> None:
        super().__init__(config)
        self._house = house
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept; what exists by now is never garbage, so the collector need not look at it."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        if self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Not ready any more, sockets sent elsewhere in slices, then what is left of requests."""
        grace_s = self._house.settings.shutdown_grace_s
        end_hard_after(grace_s + LAST_RESORT_S)
        began = time.monotonic()
        self._house.hub.is_draining = True
        if not self.force_exit:
            shares = (NOTICE_SHARE, SPREAD_SHARE, FINISH_SHARE)
            await self._house.hub.drain(DrainTimes(*(grace_s * share for share in shares)))
        left_s = grace_s - (time.monotonic() - began)
        self.config.timeout_graceful_shutdown = max(1, math.ceil(left_s))
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end. uvicorn would raise the signal again, in the midst of our own ending."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
