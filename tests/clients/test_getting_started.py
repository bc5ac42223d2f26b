"""docs/getting-started.md holds: every snippet runs, in order, and answers as the page says."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from domain.access.rules import SESSIONS_MAX
from domain.consultations.rules import MESSAGE_CHARS_MAX, OPEN_CASES_MAX
from domain.kernel.pages import PAGE_ROWS_MAX
from domain.notices.models import BODY_CHARS_MAX, TITLE_CHARS_MAX
from domain.notices.rules import RECIPIENTS_MAX
from gateway.sample_people import PASSWORD, sign_ins
from gateway.settings import load
from realtime import bounds
from realtime.close_codes import MEANINGS
from schema import limits
from tests.gateway.test_cli import fresh_database  # noqa: F401  # a fixture
from tests.support.node import install_clients, run_script
from tests.support.server import ROOT, Server, start

PAGE = (ROOT / "docs" / "getting-started.md").read_text()
ADDRESS = "127.0.0.1:8000"
"""Where a reader's demonstration listens; the test's listens elsewhere."""
MEMBERS = "200"
SHELL_S_MAX = 30
WILD = "…"
MARK = "\x1e"
"""Between the outputs of two snippets of one program."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, the words after it, its text and line."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def kind(self) -> str:
        """What the test does with it."""
        return f"{self.language} {' '.join(self.words)}".strip()


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to run, and what the page says of it."""

    block: Block
    variables: Any = None
    answer: Any = None
    output: str = ""


def blocks() -> Iterator[Block]:
    """Every fenced block of the page."""
    lines = PAGE.splitlines()
    fences = [n for n, line in enumerate(lines, 1) if line.lstrip().startswith(("```", "~~~"))]
    assert len(fences) % 2 == 0, "a fence stays open"
    for first, last in zip(fences[::2], fences[1::2], strict=True):
        language, *words = lines[first - 1].strip().removeprefix("```").split() or [""]
        yield Block(language, tuple(words), "\n".join(lines[first : last - 1]), first)


def snippets() -> list[Snippet]:
    """What is to be run. A block that would not be run, or not compared, is a mistake."""
    found: list[Snippet] = []
    for block in blocks():
        last = found[-1] if found else None
        match block.language, block.words:
            case ("sh" | "js", ()):
                found.append(Snippet(block))
            case "graphql", (who, *rest) if who.startswith("as=") and rest in ([], ["twice"]):
                found.append(Snippet(block))
            case "json", ("variables",) if last and last.block.language == "graphql":
                # After an answer: the same once more, with other variables.
                asked = Snippet(last.block, json.loads(block.text))
                found[-1:] = [asked] if last.answer is None else [last, asked]
            case "json", ("answer",) if last and last.block.language == "graphql":
                assert last.answer is None, block
                found[-1] = Snippet(last.block, last.variables, json.loads(block.text))
            case "text", ("output",) if last and last.block.language in {"sh", "js"}:
                assert not last.output, block
                found[-1] = Snippet(last.block, output=block.text)
            case _:
                pytest.fail(f"line {block.line}: nothing runs a block `{block.kind}`")
    for each in found:
        if each.block.language == "graphql":
            assert each.answer is not None, f"line {each.block.line}: no answer is documented"
    return found


@pytest_asyncio.fixture
async def demo(fresh_database: str) -> AsyncIterator[Server]:  # noqa: F811  # the fixture
    server = await start(fresh_database, command=("demo", "--members", MEMBERS))
    yield server
    await server.stop()
    server.assert_no_traceback()


class Reader:
    """Somebody who pastes the page from top to bottom."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.kept: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    def here(self, text: str) -> str:
        """The text with this server's address, and with what was kept."""
        return text.replace(ADDRESS, f"127.0.0.1:{self.server.port}")

    async def run(self, page: list[Snippet]) -> None:
        """Everything, in the page's order; the JavaScript is one program and comes last."""
        programs = [each for each in page if each.block.language == "js"]
        assert page[-len(programs) :] == programs, "JavaScript comes last, as one program"
        for each in page[: -len(programs)]:
            if each.block.language == "sh":
                await self.shell(each)
            else:
                await self.operate(each)
        await self.program(programs)

    async def shell(self, snippet: Snippet) -> None:
        """In one shell: names and functions live on."""
        state = self.folder / "state"
        state.touch()
        script = (
            f"set -eua; . {state}; cd {self.folder}\n{self.here(snippet.block.text)}\n"
            f"{{ export -p; declare -fp; }} > {state}"
        )
        environ = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(SHELL_S_MAX):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        assert_printed(snippet, out.decode())

    async def operate(self, snippet: Snippet) -> None:
        """As the person named, as often as the page says."""
        who, *twice = snippet.block.words
        token = await self.token(who.removeprefix("as="))
        for _ in range(2 if twice else 1):
            variables = self.filled(snippet.variables)
            answer = await self.ask(snippet.block.text, variables, token)
            self.compare(snippet.answer, answer, f"line {snippet.block.line}")

    async def program(self, programs: list[Snippet]) -> None:
        """In one module, each part's output by itself."""
        (self.folder / "node_modules").symlink_to(install_clients() / "node_modules")
        script = self.folder / "page.mjs"
        script.write_text(
            "\n".join(f"{self.here(each.block.text)}\nconsole.log('{MARK}');" for each in programs)
        )
        outputs = (await run_script(script)).split(MARK + "\n")
        for each, printed in zip(programs, outputs, strict=False):
            assert_printed(each, printed)
        assert outputs[len(programs) :] == [""]

    async def token(self, person: str) -> str:
        """The bearer token of a person of the page's table."""
        if person not in self.tokens:
            given = {"identifier": page_people()[person], "password": PASSWORD, "heldAs": "APP"}
            answer = await self.ask(
                "mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }",
                {"input": given},
            )
            self.tokens[person] = answer["data"]["signIn"]["accessToken"]
        return self.tokens[person]

    async def ask(self, query: str, variables: Any, token: str = "") -> Any:
        """Over HTTP."""
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.post(
                self.server.graphql,
                json={"query": query, "variables": variables},
                headers={"authorization": f"Bearer {token}"} if token else {},
            )
        return response.json()

    def filled(self, value: Any) -> Any:
        """The variables with what was kept from earlier answers."""
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, str) and value.startswith("$"):
            return self.kept[value]
        return value

    def compare(self, said: Any, got: Any, where: str) -> None:
        """The answer is the page's: `…` is any text, `$NAME` is kept, and stays the same."""
        if isinstance(said, str) and said.startswith("$"):
            assert isinstance(got, str), where
            assert self.kept.setdefault(said, got) == got, f"{where}: {said} has changed"
        elif said == WILD:
            assert isinstance(got, str), where
        elif isinstance(said, dict):
            assert isinstance(got, dict), f"{where}: {got}"
            assert said.keys() == got.keys(), f"{where}: {got}"
            for key in said:
                self.compare(said[key], got[key], f"{where}.{key}")
        elif isinstance(said, list):
            assert isinstance(got, list), f"{where}: {got}"
            assert len(said) == len(got), f"{where}: {got}"
            for number, (one, other) in enumerate(zip(said, got, strict=True)):
                self.compare(one, other, f"{where}[{number}]")
        else:
            assert said == got, where


def assert_printed(snippet: Snippet, printed: str) -> None:
    """What it printed is what stands below it, or nothing."""
    wanted = ".*".join(re.escape(part) for part in snippet.output.split(WILD))
    exact = printed.strip() == snippet.output
    assert exact or re.fullmatch(wanted, printed.strip()), (
        f"line {snippet.block.line} printed:\n{printed}"
    )


def table(heading: str) -> list[list[str]]:
    """The rows of the first table whose header begins so."""
    lines = iter(PAGE.splitlines())
    assert any(line.startswith(f"| {heading} |") for line in lines), heading
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows][1:]


def page_people() -> dict[str, str]:
    """Who may sign in, by the page's table."""
    return {person: login for person, login, _ in table("person")}


async def test_every_snippet_of_the_page_runs_and_answers_as_it_says(
    demo: Server, tmp_path: Path
) -> None:
    install_clients()
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")

    await Reader(demo, tmp_path).run(snippets())


def test_the_people_of_the_page_are_those_of_the_sample() -> None:
    ready = {one.person: one.login for one in sign_ins()}

    assert page_people().items() <= ready.items()
    assert PASSWORD in PAGE


def test_the_limits_of_the_page_are_those_of_the_program() -> None:
    live = bounds.LiveSettings()

    assert [int(row[1].replace(",", "")) for row in table("of")] == [
        load({}).graphql_body_bytes_max,
        bounds.FRAME_MAX_BYTES,
        limits.DOCUMENT_BYTES_MAX,
        limits.DEPTH_MAX,
        limits.COST_MAX,
        limits.ALIASES_MAX,
        limits.ROOT_MUTATIONS_MAX,
        PAGE_ROWS_MAX,
        MESSAGE_CHARS_MAX,
        OPEN_CASES_MAX,
        TITLE_CHARS_MAX,
        BODY_CHARS_MAX,
        RECIPIENTS_MAX,
        SESSIONS_MAX,
        live.connections_per_account_max,
        bounds.OPS_PER_CONNECTION_MAX,
        live.ops_per_s,
        live.frames_per_s,
        bounds.REPLAY_EVENTS_MAX,
    ]


def test_the_close_codes_of_the_page_are_those_of_the_program() -> None:
    rows = {int(code): comes.startswith("yes") for code, _, comes in table("code | why")}

    assert rows == {int(code): meaning.returns for code, meaning in MEANINGS.items()}
