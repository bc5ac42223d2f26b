"""What browsers need and what must not be done through them: cookies, origins, safe headers.

A cookie signs a browser in, so another site's page must not be able to use it: its requests are
known by their Origin (RFC 6454), and are answered as if they had not been asked.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Mapping
from functools import lru_cache

from domain.kernel.ports import ResponseCookies
from gateway.settings import Settings

Headers = Mapping[bytes, bytes]
"""A request's, by name in lower case; undecoded, for most are never looked at."""
RawHeaders = list[tuple[bytes, bytes]]

CUSTOM_HEADER = b"x-unionhall"
"""Another site's page cannot send it without a preflight, which only known origins pass."""
TOKEN_CHARS_MAX = 256
"""Our tokens have about fifty characters."""
USER_AGENT_CHARS_MAX = 200
PREFLIGHT_AGE_S = 600
"""Browsers may remember for ten minutes that an origin may call."""
HSTS_AGE_S = 63_072_000
"""Two years (ASVS 3.4.1 asks for one at least)."""
ADDRESSES_KEPT_MAX = 4_096
"""Addresses whose digest is remembered: as many as are likely to call in the same minutes, 1 MB."""


def text_of(headers: Headers, name: bytes) -> str:
    """A header's value; "" for one that is not there."""
    return headers.get(name, b"").decode("latin-1")


def cookie_name(settings: Settings) -> str:
    """``__Host-`` binds the cookie to this host and to TLS; plain HTTP cannot have it."""
    return "__Host-sid" if settings.is_secure else "sid"


def cookie_token(settings: Settings, headers: Headers) -> str | None:
    """The session token of the browser's cookie; two cookies of the name are none."""
    return cookie_named(cookie_name(settings), headers)


def cookie_named(wanted: str, headers: Headers) -> str | None:
    """The token in the cookie of this name; two of the name are none."""
    found = None
    for pair in text_of(headers, b"cookie").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == wanted:
            if found is not None:
                return None
            found = value
    return found if found and len(found) <= TOKEN_CHARS_MAX else None


def bearer_token(headers: Headers) -> str | None:
    """The token of the Authorization header; "" for one that is there and no bearer token."""
    if b"authorization" not in headers:
        return None
    scheme, _, token = text_of(headers, b"authorization").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > TOKEN_CHARS_MAX or not token.isascii():
        return ""
    return token


def set_cookie(settings: Settings, cookies: ResponseCookies) -> RawHeaders:
    """The header that does to the session cookie what the operation asked for."""
    if cookies.session_token is not None:
        value = cookies.session_token
        lifetime = f"; Max-Age={cookies.expires_in_s}" if cookies.expires_in_s is not None else ""
    elif cookies.is_cleared:
        value, lifetime = "", "; Max-Age=0"
    else:
        return []
    secure = "; Secure" if settings.is_secure else ""
    value = f"{cookie_name(settings)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{lifetime}"
    return [(b"set-cookie", value.encode("latin-1"))]


def is_foreign(settings: Settings, headers: Headers) -> bool:
    """Whether a page of an origin that we do not know has sent this."""
    origin = text_of(headers, b"origin")
    return b"origin" in headers and origin.lower() not in settings.origins


def may_use_cookie(settings: Settings, headers: Headers) -> bool:
    """Whether a cookie may sign this request in: from a known origin, or marked by a script."""
    if b"origin" in headers:
        return not is_foreign(settings, headers)
    return CUSTOM_HEADER in headers or headers.get(b"sec-fetch-site") == b"same-origin"


def cors(settings: Settings, headers: Headers) -> RawHeaders:
    """Headers that let a known origin's page read the answer; none for others."""
    origin = headers.get(b"origin")
    if origin is None or is_foreign(settings, headers):
        return [(b"vary", b"Origin, Accept")]
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin, Accept"),
    ]


def preflight(settings: Settings, headers: Headers) -> RawHeaders:
    """What a known origin's page may send; goes with ``cors``. Nothing for others."""
    if b"origin" not in headers or is_foreign(settings, headers):
        return []
    return [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"authorization, content-type, " + CUSTOM_HEADER),
        (b"access-control-max-age", str(PREFLIGHT_AGE_S).encode()),
    ]


def safe_headers(settings: Settings) -> RawHeaders:
    """What every response says: no sniffing, no framing, no referrer, nothing loaded."""
    headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
    if settings.is_secure:
        age = f"max-age={HSTS_AGE_S}; includeSubDomains"
        headers.append((b"strict-transport-security", age.encode()))
    return headers


STRICT_CSP = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For everything but pages."""


def with_policy(headers: RawHeaders) -> RawHeaders:
    """The same with the strict policy, where they have none."""
    if any(name == b"content-security-policy" for name, _ in headers):
        return headers
    return [*headers, (b"content-security-policy", STRICT_CSP)]


_CLIENT_SALT = os.urandom(32)
"""Of this process: the digest of an address means nothing elsewhere or later."""


@lru_cache(maxsize=ADDRESSES_KEPT_MAX)
def client_key(address: str, salt: bytes = _CLIENT_SALT) -> str:
    """A digest of the client's network: the address itself never travels further.

    An IPv6 customer has a /64 at least, so that is what is counted.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        network = address
    else:
        bits = 64 if ip.version == 6 else 32
        network = str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))
    return hashlib.blake2b(network.encode(), key=salt, digest_size=16).hexdigest()


def user_agent(headers: Headers) -> str:
    """What the client calls itself: printable, short."""
    given = text_of(headers, b"user-agent")[:USER_AGENT_CHARS_MAX]
    if given.isprintable():
        return given
    return "".join(character for character in given if character.isprintable())
