"""This process kept from spilling its memory, in which the keys lie."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4


def keep_keys_out_of_dumps() -> None:
    """No core dump of this process is written, and no other user's debugger attaches (Linux).

    Python cannot wipe a key from its memory: this narrows who could read it, and no more.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
