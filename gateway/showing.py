"""What `unionhall demo` prints when all is up: the address, who can sign in, what to try."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Protocol

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.settings import Settings


class SignIn(Protocol):
    """One ready person of the sample federation."""

    @property
    def person(self) -> str:
        """Who it is, in the federation's words: 会员, 心理咨询师, …"""
        ...

    @property
    def login(self) -> str:
        """Phone or ID number, as typed at the sign-in."""
        ...

    @property
    def password(self) -> str:
        """Of the sample only."""
        ...

    @property
    def can(self) -> str:
        """What this person comes for."""
        ...


def show(settings: Settings, sign_ins: Sequence[SignIn], console: Console) -> None:
    """Print it, so that each of the three things can be copied and pasted as it stands."""
    table = Table("person", "login", "password", "comes to", title="Sign-ins (示例账号)")
    for one in sign_ins:
        table.add_row(*(escape(text) for text in (one.person, one.login, one.password, one.can)))
    console.print()
    console.print(f"[bold]职工之家 · Unionhall[/bold]  {settings.address}")
    console.print("Sample data (示例数据): every person and number is invented.")
    console.print(table)
    for number, (what, how) in enumerate(things_to_try(settings, sign_ins), start=1):
        console.print(f"[bold]{number}.[/bold] {escape(what)}")
        console.print(how, markup=False, soft_wrap=True)
    console.print("Ctrl-C stops it; the data stay in " + escape(str(settings.data_dir)) + ".")


def things_to_try(settings: Settings, sign_ins: Sequence[SignIn]) -> list[tuple[str, str]]:
    """What a newcomer can do in the first minute."""
    first = sign_ins[0]
    sign_in = (
        "mutation($input: SignInInput!) { signIn(input: $input) { accessToken expiresAt } }",
        {"identifier": first.login, "password": first.password, "heldAs": "APP"},
    )
    return [
        (
            f"Sign in as {first.person}, and keep the token:",
            f"TOKEN=$({_curl(settings, sign_in[0], {'input': sign_in[1]})}"
            ' | sed \'s/.*"accessToken":"\\([^"]*\\).*/\\1/\')',
        ),
        (
            "Ask who you are:",
            _curl(settings, "{ viewer { kind capabilities } }", {}, is_signed_in=True),
        ),
        (
            "In the browser: two windows, two people, a live conversation between them"
            f" (to explore the API: {settings.address}/graphql):",
            settings.address,
        ),
    ]


def _curl(
    settings: Settings, query: str, variables: dict[str, object], *, is_signed_in: bool = False
) -> str:
    """One line for a POSIX shell."""
    body = orjson.dumps({"query": query, "variables": variables}).decode()
    words = ["curl", "-s", f"{settings.address}/graphql", "-H", "content-type: application/json"]
    line = shlex.join([*words, "-d", body])
    return line + ' -H "authorization: Bearer $TOKEN"' if is_signed_in else line
