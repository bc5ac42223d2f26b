"""Whatever strangers and members throw at it: a stable code, no effect, nobody else is harmed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx

from domain.kernel.ids import new_id
from schema.nodes import global_id
from tests.gateway.test_graphql_http import BAD_BODIES
from tests.support.arena import CANARY, Arena, Caller, filled
from tests.support.operations import Leaf, Operations
from tests.support.rude import Door, codes

OPERATIONS = Operations()


DIRECTORY = {
    "Union": {"node", "nodes", "union", "unions"},
    "Consultant": {"node", "nodes", "requestConsultation", "requestHandover"},
    "Account": {"grantRole"},
}
"""Types whose ids may be known, by the fields in which a real one does something."""
NO_IDS = ("", "A" * 4_000, "💥")
REFUSED = ({"not_found"}, {"forbidden"}, {"access.unauthenticated"})


async def assert_looks_absent(door: Door, leaf: Leaf, caller: Caller, arena: Arena) -> None:
    """An id that never was, another person's, and none at all: nothing can be learnt."""

    async def answer(id_: str) -> Any:
        response = await door.ask(*OPERATIONS.ask(leaf, filled(leaf, id_, caller)))
        assert response.status_code == 200, (str(leaf), response.text)
        return response.json()

    for target in arena.foreign if leaf.target == "Node" else [leaf.target]:
        absent = await answer(global_id(target, new_id()))
        # A member's own case: that they may not hand it over is theirs to know.
        if not (caller.name == "member" and leaf.path[-1] == "toConsultantId"):
            assert codes(absent) in REFUSED or is_empty(absent), (str(leaf), caller.name, absent)
        # Else it would be the missing right that hides everything.
        assert caller.name != "official" or codes(absent) != {"forbidden"}, str(leaf)
        if leaf.field not in DIRECTORY.get(target, ()):
            foreign = await answer(global_id(target, arena.foreign[target]))
            assert foreign == absent, (str(leaf), target, caller.name)
    for no_id in NO_IDS:
        nothing = await answer(no_id)
        assert codes(nothing) in REFUSED or is_empty(nothing), (str(leaf), caller.name, nothing)


def is_empty(answer: Any) -> bool:
    """Whether it names nothing: null, an empty list, or none of what was received."""
    if codes(answer):
        return False
    (data,) = answer["data"].values()
    if isinstance(data, dict):
        return not any(value for name, value in data.items() if name != "__typename")
    return data in (None, [], [None])


async def test_what_is_foreign_looks_absent_in_every_argument(arena: Arena) -> None:
    leaves = [leaf for leaf in OPERATIONS.leaves() if leaf.type == "ID"]

    async def try_all(caller: Caller) -> None:
        async with Door(arena.server.graphql, caller.token) as door:
            for leaf in leaves:
                if leaf.kind != "subscription":
                    await assert_looks_absent(door, leaf, caller, arena)

    await asyncio.gather(*map(try_all, arena.callers))


# Values


POISONS: dict[str, Any] = {
    "long": CANARY * 5_000,
    "nul": f"{CANARY}\0",
    "surrogate": f"{CANARY}\ud800",
    "object": {"a": CANARY},
    "digits": "#digits",
    "list": [[CANARY, [CANARY]]],
}
DIGITS = "9" * 5_000
CODES = re.compile(r"[a-z]+\.[a-z_0-9]+|not_found|forbidden|RT_[A-Z]+")
"""What a stable code looks like; ``internal`` and ``unavailable`` are none for a bad input."""


def assert_refused(response: httpx.Response, what: object) -> None:
    """A stable code, and nothing of what was thrown in the answer."""
    assert response.status_code < 500, (what, response.text)
    told = codes(response.json())
    assert told or is_empty(response.json()), (what, "was accepted")
    for code in told:
        assert CODES.fullmatch(code), (what, code)


async def throw_at_every_argument(
    arena: Arena, throw: Callable[[Door, Leaf, Caller], Awaitable[None]]
) -> None:
    """As the one who may call nearly everything."""
    official = arena.callers[2]
    async with Door(arena.server.graphql, official.token) as door:
        for leaf in OPERATIONS.leaves():
            await throw(door, leaf, official)


async def test_no_value_in_any_argument_does_harm(arena: Arena) -> None:
    async def throw(door: Door, leaf: Leaf, caller: Caller) -> None:
        for name, poison in POISONS.items():
            query, variables = OPERATIONS.ask(leaf, filled(leaf, poison, caller))
            body = json.dumps({"query": query, "variables": variables})
            response = await door.post(body.replace('"#digits"', DIGITS).encode())
            assert_refused(response, (str(leaf), name))
            assert CANARY not in response.text, (str(leaf), name)

    await throw_at_every_argument(arena, throw)


async def test_no_literal_in_any_document_does_harm(arena: Arena) -> None:
    async def throw(door: Door, leaf: Leaf, caller: Caller) -> None:
        for poison in (f"{CANARY}\0", f"{CANARY}\ud800") if leaf.type in {"String", "ID"} else ():
            query = OPERATIONS.ask_inline(leaf, filled(leaf, poison, caller))
            assert_refused(await door.ask(query), (str(leaf), poison))

    await throw_at_every_argument(arena, throw)


# Bodies and documents


def doubling(count: int) -> str:
    """Fragments each of which spreads the next one twice: 2 to the power of ``count`` fields."""
    chain = " ".join(
        f"fragment f{n} on Query {{ a{n}: __typename ...f{n + 1} ...f{n + 1} }}"
        for n in range(count)
    )
    return f"{{ ...f0 }} {chain} fragment f{count} on Query {{ __typename }}"


DOCUMENTS = {
    "two hundred aliases": "{" + " ".join(f"a{n}: pledge {{ version }}" for n in range(200)) + "}",
    "two hundred typenames": "{" + " ".join(f"a{n}: __typename" for n in range(200)) + "}",
    "exponential fragments": doubling(40),
    "a cycle": "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
    "braces": "{ unions " * 3_000,
    "lists": f"{{ nodes(ids: {'[' * 700}{']' * 700}) {{ id }} }}",
    "digits": f"{{ unions(first: {DIGITS}) {{ totalCount }} }}",
    "directives": f"{{ __typename {'@include(if: true) ' * 200} }}",
    "a name": f"{{ {CANARY} }}",
    "a text": f'{{ node(id: 1, id: "{CANARY}") }}',
    "nothing": "",
    "spaces": " " * 15_000,
    "sixteen kilobytes": "{ __typename " + "#" * 20_000 + "\n}",
    "many sign-ins": "mutation {"
    + " ".join(
        f'a{n}: signIn(input: {{identifier: "1", password: "{n}"}}) {{ __typename }}'
        for n in range(5)
    )
    + "}",
}


async def test_no_document_does_harm(arena: Arena) -> None:
    for caller in arena.callers[:2]:
        async with Door(arena.server.graphql, caller.token) as door:
            for name, document in DOCUMENTS.items():
                assert_refused(await door.ask(document), name)
                assert_refused(await door.ask(document, {"a": CANARY}), name)


SIGN_OUT = b'{"query":"mutation { signOut { endedCount } }"}'


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 16_384


async def test_no_body_does_harm(arena: Arena) -> None:
    async with Door(arena.server.graphql, arena.callers[1].token) as door:
        for name, (body, expected) in BAD_BODIES.items():
            # What is too large is not read to its end: the answer may get lost with the rest.
            with suppress(*((httpx.TransportError,) if expected == "json.too_large" else ())):
                response = await door.post(body)
                assert 400 <= response.status_code < 500, name
                assert codes(response.json()) == {expected}, name
        with suppress(httpx.TransportError):
            huge = await door.post(endless())
            assert (huge.status_code, codes(huge.json())) == (413, {"json.too_large"})
        for headers in (
            {"content_type": "text/plain"},
            {"accept": f"text/{CANARY}"},
            {"authorization": "Bearer " + "A" * 4_000},
            {"authorization": f"Bearer {CANARY}"},
        ):
            response = await door.post(SIGN_OUT, **headers)
            assert 400 <= response.status_code < 500, headers
            assert codes(response.json()), headers
    async with Door(arena.server.graphql) as door:
        cookie = {"cookie": f"sid={CANARY}", "origin": f"https://{CANARY}.example"}
        response = await door.post(SIGN_OUT, **cookie)
        assert codes(response.json()) == {"request.foreign_origin"}
