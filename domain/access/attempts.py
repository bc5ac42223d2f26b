"""Failed sign-ins, counted before the password is looked at, so that parallel guesses all count.

Counts are kept by a keyed digest of what was typed, whether or not an account has it: a wait says
nothing about who exists. They lie in the database: a restart or a lost Redis frees no guesser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from domain.access.rules import (
    ATTEMPTS_WINDOW,
    FREE_FAILURES_MAX,
    NETWORK_FREE_FAILURES_MAX,
    Failures,
    TooManyAttempts,
    counted,
    wait,
)
from domain.kernel.work import Work
from domain.vault import service as vault


@dataclass(frozen=True, slots=True)
class Counted:
    """One attempt: the rows that count it, and how long this identifier has yet to wait."""

    key: bytes
    network_key: bytes | None
    waiting: timedelta

    @property
    def keys(self) -> list[bytes]:
        return [self.key, *([self.network_key] if self.network_key else [])]


def attempt_key(kind: str, *parts: bytes) -> bytes:
    """Under which failures of this identifier, device or network are counted."""
    return vault.derived_secret(f"attempt-{kind}", *parts)


async def count_attempt(w: Work, key: bytes, network: str) -> Counted:
    """One attempt more, unless it has to wait. Raises TooManyAttempts for the network."""
    network_key = attempt_key("network", network.encode()) if network else None
    attempt = Counted(key, network_key, timedelta(0))
    known = await _locked(w, attempt.keys)
    if network_key is not None:
        waiting = wait(known[network_key], w.now, free_max=NETWORK_FREE_FAILURES_MAX)
        if waiting > timedelta(0):
            raise TooManyAttempts(waiting.total_seconds())
    waiting = wait(known[key], w.now, free_max=FREE_FAILURES_MAX)
    if waiting > timedelta(0):
        return Counted(key, network_key, waiting)
    for each in attempt.keys:
        await _put(w, each, counted(known[each], w.now))
    return attempt


async def forgive_attempt(w: Work, attempt: Counted) -> None:
    """The attempt was none (it succeeded, or was not looked at): the network's count goes back."""
    known = await _locked(w, attempt.keys)
    for key in attempt.keys:
        failures = known[key]
        await _put(w, key, Failures(max(failures.count - 1, 0), failures.last_at))


async def clear_attempts(w: Work, attempt: Counted) -> None:
    """The right password was given: the identifier's failures are forgotten."""
    await forgive_attempt(w, attempt)
    await w.execute("DELETE FROM access_attempt WHERE key = $1", attempt.key)


async def purge_attempts(w: Work) -> int:
    """Counts that no rule looks at any more are gone."""
    return await w.execute("DELETE FROM access_attempt WHERE last_at < $1", w.now - ATTEMPTS_WINDOW)


async def _locked(w: Work, keys: list[bytes]) -> Mapping[bytes, Failures]:
    # In key order, so that two sign-ins from one network never wait for each other in a ring.
    await w.execute(
        "INSERT INTO access_attempt (key, failure_count, last_at)"
        " SELECT key, 0, $2 FROM unnest($1::bytea[]) AS k(key) ORDER BY key"
        " ON CONFLICT (key) DO NOTHING",
        keys,
        w.now,
    )
    rows = await w.fetch(
        "SELECT key, failure_count, last_at FROM access_attempt WHERE key = ANY($1::bytea[])"
        " ORDER BY key FOR UPDATE",
        keys,
    )
    return {row["key"]: Failures(row["failure_count"], row["last_at"]) for row in rows}


async def _put(w: Work, key: bytes, failures: Failures) -> None:
    await w.execute(
        "UPDATE access_attempt SET failure_count = $2, last_at = $3 WHERE key = $1",
        key,
        failures.count,
        failures.last_at,
    )
