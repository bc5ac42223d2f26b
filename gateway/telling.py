"""Telling a person at a terminal what takes so long; and a log file, in plain lines."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.status import Status

SHOWN_AFTER_S = 0.5
"""A step that was quicker is not worth a line."""


class Teller:
    """One step after another: a spinner while it runs, a line with its time when it is over."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._status: Status | None = None
        self._step = ""
        self._began = 0.0

    def tell(self, step: str) -> None:
        """A new step begins; the one before is over. What stands in brackets is how far it is."""
        name = step.partition(" (")[0]
        if name != self._step:
            self._end_step()
            self._step, self._began = name, time.monotonic()
        if not self.console.is_terminal:
            return
        if self._status is None:
            self._status = self.console.status("")
            self._status.start()
        self._status.update(f"{escape(step)} …")

    def done(self) -> None:
        """The last step is over."""
        self._end_step()
        self._step = ""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def line(self, text: str) -> None:
        """Say something that stays."""
        self.console.print(escape(text))

    def _end_step(self) -> None:
        took_s = time.monotonic() - self._began
        if self._step and took_s >= SHOWN_AFTER_S:
            self.console.print(f"✓ {escape(self._step)} ({took_s:.1f} s)")
