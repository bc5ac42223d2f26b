"""A process that has imported the program once, and forks: so a server starts four times sooner.

Importing takes three quarters of a start, and the tests start servers by the dozen. What is forked
is the program as it stands, under its own process id: it reads its own environment, opens its own
sockets, takes signals, is killed. Linux only; whoever waits for nobody else starts it cold.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
WAITING_MAX = 16
"""Starts that are asked for while another one is made; a test asks for two at once."""
IMPORTED = (
    *("gateway.cli", "gateway.serving", "gateway.preparing", "gateway.sample", "gateway.seed"),
    *("realtime.redis_bus", "realtime.redis_presence", "uvloop", "uvicorn.loops.uvloop"),
    *("uvicorn.lifespan.off", "uvicorn.protocols.http.httptools_impl"),
)
IS_POSSIBLE = sys.platform == "linux"


class Warm:
    """The forking process as the tests hold it: one for all of a worker's servers."""

    def __init__(self) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("")  # a name of Linux's choice, in no folder
            listener.listen(WAITING_MAX)
            self._address = listener.getsockname()
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno())],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )
        atexit.register(self._end)

    def ask(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str], log: Path
    ) -> socket.socket:
        """Start the program. The socket tells its process id at once, and its exit code in the
        end, a line each; who closes it kills the program."""
        asking = socket.socket(socket.AF_UNIX)
        asking.connect(self._address)
        wish = {"command": list(command), "folder": str(folder), "log": str(log)}
        asking.sendall(json.dumps(wish | {"environ": dict(environ)}).encode() + b"\n")
        return asking

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class _Forking:
    """What runs in the forking process, until nobody holds the other end of its input."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._alive: set[int] = set()
        self._ready = selectors.DefaultSelector()
        self._ready.register(0, selectors.EVENT_READ)
        self._ready.register(listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Fork when asked to; tell of each end; kill what nobody waits for any more."""
        while True:
            for key, _ in self._ready.select():
                if key.fd == 0:
                    for pid in self._alive:
                        os.kill(pid, signal.SIGKILL)
                    return
                if key.fileobj is self._listener:
                    self._start(self._listener.accept()[0])
                else:
                    key.data()

    def _start(self, asker: socket.socket) -> None:
        with asker.makefile("rb") as said:
            wish = json.loads(said.readline())
        pid = os.fork()
        if pid == 0:
            self._ready.close()
            self._listener.close()
            asker.close()
            _become(wish)
        self._alive.add(pid)
        alive = os.pidfd_open(pid)
        asker.sendall(b"%d\n" % pid)
        self._ready.register(asker, selectors.EVENT_READ, lambda: self._leave(asker, pid))
        self._ready.register(alive, selectors.EVENT_READ, lambda: self._bury(asker, pid, alive))

    def _leave(self, asker: socket.socket, pid: int) -> None:
        """Nobody listens any more: its end is told to nobody."""
        self._ready.unregister(asker)
        os.kill(pid, signal.SIGKILL)

    def _bury(self, asker: socket.socket, pid: int, alive: int) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._alive.remove(pid)
        self._ready.unregister(alive)
        os.close(alive)
        with suppress(OSError):
            asker.sendall(b"%d\n" % code)
        with suppress(KeyError):
            self._ready.unregister(asker)
        asker.close()


def _become(wish: dict[str, Any]) -> NoReturn:
    """Be the program: its folder, environment and outputs, and its exit code."""
    for number, path in ((0, os.devnull), (1, wish["log"]), (2, wish["log"])):
        opened = os.open(path, (os.O_RDONLY, os.O_WRONLY | os.O_APPEND)[number > 0])
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(wish["folder"])
    os.environ.clear()
    os.environ.update(wish["environ"])
    sys.argv = ["unionhall", *wish["command"]]
    from gateway.cli import main

    main()
    sys.exit()


def _main(number: int) -> None:
    listener = socket.socket(fileno=number)
    for name in IMPORTED:
        __import__(name)
    for module in pkgutil.iter_modules(sys.modules["schema"].__path__, "schema."):
        __import__(module.name)  # the slices, which building the schema would look for
    gc.collect()
    gc.freeze()  # what is shared by all is neither collected nor copied
    _Forking(listener).run()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
