"""Password hashes: argon2id (RFC 9106) in a few threads with a bounded queue.

A check for an account that doesn't exist costs the same as for one that does: the answer's time
tells nobody who is a member.
"""

from __future__ import annotations

import asyncio
import os
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.kernel.errors import Invalid, Unavailable

T = TypeVar("T")

PASSWORD_BYTES_MAX = 1024
"""Of UTF-8: longer ones would make hashing a way to keep the server busy."""
THREADS_MAX = min(2, os.cpu_count() or 1)
"""Staff hashing takes 64 MiB a thread; more threads than cores only take turns."""
QUEUE_MAX = 64
"""Checks waiting or running. At 28 ms each the last waits about a second; the next is refused."""


class PasswordTooLong(Invalid):
    """A password of more than 1,024 bytes."""

    code: ClassVar[str] = "vault.password_too_long"


class PasswordsBusy(Unavailable):
    """Too many sign-ins at once; try again in a moment."""

    code: ClassVar[str] = "vault.passwords_busy"


class Profile(StrEnum):
    """How costly a guess is made."""

    MEMBER = "member"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Cost:
    """argon2id's three parameters."""

    memory_kib: int
    passes: int
    lanes: int


COSTS: Mapping[Profile, Cost] = {
    # OWASP's minimum: 28 ms, because thousands of members may sign in on the same morning.
    Profile.MEMBER: Cost(memory_kib=19_456, passes=2, lanes=1),
    # RFC 9106's low-memory setting on one lane: 197 ms; a cadre's account opens many records.
    Profile.STAFF: Cost(memory_kib=65_536, passes=3, lanes=1),
}


class Passwords:
    """The hashing threads of this process."""

    def __init__(
        self,
        costs: Mapping[Profile, Cost] = COSTS,
        *,
        queue_max: int = QUEUE_MAX,
        threads_max: int = THREADS_MAX,
    ) -> None:
        self._hashers = {
            profile: PasswordHasher(cost.passes, cost.memory_kib, cost.lanes)
            for profile, cost in costs.items()
        }
        self._dummies = {profile: _unmatched(cost) for profile, cost in costs.items()}
        self._threads = ThreadPoolExecutor(threads_max, thread_name_prefix="argon2")
        self._room = threading.BoundedSemaphore(queue_max)
        self.verified_count = 0
        """Verifications done, dummies among them."""

    async def hash(self, password: str, profile: Profile) -> str:
        """The hash to store. Raises PasswordTooLong, PasswordsBusy."""
        secret = _prepared(password)
        if secret is None:
            raise PasswordTooLong("password", max=PASSWORD_BYTES_MAX)
        return await self._run(lambda: self._hashers[profile].hash(secret))

    async def verify(self, stored: str | None, password: str, profile: Profile) -> bool:
        """Whether the password fits; without a stored hash False, after the same work.

        Raises PasswordsBusy.
        """
        secret = _prepared(password)
        if secret is None:
            stored, secret = None, b""
        hash_ = stored if stored is not None else self._dummies[profile]
        self.verified_count += 1
        is_right = await self._run(lambda: self._matches(hash_, secret))
        return is_right and stored is not None

    def needs_rehash(self, stored: str, profile: Profile) -> bool:
        """Whether the hash was made at another cost than is asked now."""
        return self._hashers[profile].check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True)

    def _matches(self, hash_: str, secret: bytes) -> bool:
        try:
            return self._hashers[Profile.MEMBER].verify(hash_, secret)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise PasswordsBusy
        # Released by the thread: a request that gave up still holds its place until argon2 is done.
        future: Future[T] = self._threads.submit(work)
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)


def _unmatched(cost: Cost) -> str:
    """A hash of this cost that no password fits: its bytes are random."""
    salt, digest = (b64encode(os.urandom(n)).decode().rstrip("=") for n in (16, 32))
    params = f"m={cost.memory_kib},t={cost.passes},p={cost.lanes}"
    return f"$argon2id$v=19${params}${salt}${digest}"


def _prepared(password: str) -> bytes | None:
    """The password's bytes, composed (NFC) so that every keyboard makes the same ones."""
    try:
        secret = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None  # a lone surrogate: no keyboard makes it
    return secret if len(secret) <= PASSWORD_BYTES_MAX else None


_current: Passwords | None = None


def install_passwords(passwords: Passwords) -> None:
    """Take this as the process's hashing threads (wiring and tests)."""
    global _current
    _current = passwords


def passwords() -> Passwords:
    """The process's hashing threads; made on first use."""
    global _current
    if _current is None:
        _current = Passwords()
    return _current


async def hash_password(password: str, *, profile: Profile) -> str:
    """The argon2id hash to store. Raises PasswordTooLong, PasswordsBusy."""
    return await passwords().hash(password, profile)


async def verify_password(
    stored: str | None, password: str, *, profile: Profile = Profile.MEMBER
) -> bool:
    """Whether the password fits the hash; None as hash: False, after as much work.

    Raises PasswordsBusy.
    """
    return await passwords().verify(stored, password, profile)


def needs_rehash(stored: str, *, profile: Profile) -> bool:
    """Whether the hash should be made anew at the next sign-in."""
    return passwords().needs_rehash(stored, profile)
