"""Why a socket closes or an operation ends: the one table of codes, and what clients should do.

Measured against the stock JavaScript client: it comes back after the codes marked ``returns`` and
gives up for good after the others, so each code is a contract, not a decoration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from domain.kernel.errors import Conflict, DomainError, Invalid, Limited, Unavailable
from domain.kernel.streams import Json

REASON_MAX_BYTES = 123
"""A close frame holds 125 bytes, two of them the code (RFC 6455 §5.5)."""


class CloseCode(IntEnum):
    """Every code with which this server closes."""

    GOING_AWAY = 1001
    RESTART = 1012
    TRY_AGAIN_LATER = 1013
    TOO_MANY_CONNECTIONS = 4290
    BAD_REQUEST = 4400
    UNAUTHORISED = 4401
    FORBIDDEN = 4403
    BAD_SUBPROTOCOL = 4406
    INIT_TIMEOUT = 4408
    DUPLICATE_ID = 4409
    TOO_MANY_INITS = 4429


@dataclass(frozen=True, slots=True)
class CloseMeaning:
    """What a code says; ``returns``: the client should come back and resume."""

    text: str
    returns: bool


MEANINGS: Final[Mapping[CloseCode, CloseMeaning]] = {
    CloseCode.GOING_AWAY: CloseMeaning("Going away", True),
    CloseCode.RESTART: CloseMeaning("Service restart", True),
    CloseCode.TRY_AGAIN_LATER: CloseMeaning("Too slow: come back and resume", True),
    CloseCode.TOO_MANY_CONNECTIONS: CloseMeaning("Too many connections", True),
    CloseCode.BAD_REQUEST: CloseMeaning("Bad request", False),
    CloseCode.UNAUTHORISED: CloseMeaning("Unauthorized", False),
    # The stock client retries 4403; ours gives up when the reason is "revoked".
    CloseCode.FORBIDDEN: CloseMeaning("Forbidden", True),
    CloseCode.BAD_SUBPROTOCOL: CloseMeaning("Subprotocol not acceptable", False),
    CloseCode.INIT_TIMEOUT: CloseMeaning("Connection initialisation timeout", True),
    CloseCode.DUPLICATE_ID: CloseMeaning("Subscriber already exists", False),
    CloseCode.TOO_MANY_INITS: CloseMeaning("Too many initialisation requests", False),
}

REVOKED = "revoked"
"""Reason of a 4403 after which coming back with the same session is of no use."""
EXPIRED = "session expired"
TALKATIVE = "too many messages"
"""Reason of a 4403 for who says far more than any client has to."""

FORBIDDEN_OP = "RT_FORBIDDEN"
UNRECOVERABLE_OP = "RT_UNRECOVERABLE"
LAGGED_OP = "RT_LAGGED"
LIMIT_OP = "RT_LIMIT"
UNAVAILABLE_OP = "RT_UNAVAILABLE"
INTERNAL_OP = "RT_INTERNAL"

_OP_TEXTS: Final[Mapping[str, str]] = {
    FORBIDDEN_OP: "not allowed to follow this, or no longer",
    UNRECOVERABLE_OP: "position not recoverable: take a snapshot and subscribe from its position",
    LAGGED_OP: "too far behind to replay: take a snapshot and subscribe from its position",
    LIMIT_OP: "too much at once",
    UNAVAILABLE_OP: "not now: try again",
    INTERNAL_OP: "internal error",
}


def cut_reason(text: str) -> str:
    """The reason as it fits a close frame: at most 123 bytes, ending between two characters."""
    return text.encode("utf-8", "replace")[:REASON_MAX_BYTES].decode("utf-8", "ignore")


def op_errors(code: str, /, **extensions: Json) -> list[Json]:
    """The payload of an ``error`` frame: one GraphQL error with a stable code."""
    return [{"message": _OP_TEXTS[code], "extensions": {"code": code, **extensions}}]


def refusal_errors(error: DomainError) -> list[Json]:
    """What a domain refusal of following a stream says to the client.

    Absent and forbidden look the same; a limit and a pause say when to try again.
    """
    if isinstance(error, Limited):
        return op_errors(LIMIT_OP, retryAfterS=error.retry_after_s)
    if isinstance(error, Unavailable):
        return op_errors(UNAVAILABLE_OP)
    if isinstance(error, (Invalid, Conflict)):
        return op_errors(FORBIDDEN_OP, reason=error.code)
    return op_errors(FORBIDDEN_OP)
