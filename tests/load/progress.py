"""What the person at the terminal sees meanwhile; standard output stays free for the answer."""

from __future__ import annotations

import sys
import time

_STARTED = time.monotonic()


def tell(what: str) -> None:
    """One line on standard error, with the seconds since the start."""
    sys.stderr.write(f"{elapsed_s():6.1f} s  {what}\n")
    sys.stderr.flush()


def elapsed_s() -> float:
    """Seconds since this program began."""
    return time.monotonic() - _STARTED
