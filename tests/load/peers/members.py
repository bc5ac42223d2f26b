"""How the peers of the live workloads know a member: a token with a signature, and no more."""

from __future__ import annotations

import hashlib
import hmac

KEY = b"a peer's key, known to nobody but its own load client"


def token_of(member: str) -> str:
    """The token of this member."""
    return f"{member}.{_signature(member)}"


def is_member(token: object) -> bool:
    """Whether the token is one of ours."""
    if not isinstance(token, str):
        return False
    member, _, signature = token.partition(".")
    return hmac.compare_digest(signature, _signature(member))


def _signature(member: str) -> str:
    return hmac.new(KEY, member.encode(), hashlib.sha256).hexdigest()
